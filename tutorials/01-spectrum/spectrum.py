"""The spectrum, measured here: a process, a container made by hand, and what there is of VMs.

    python3 spectrum.py

A container is a process that the kernel shows other things; a virtual machine is a process in
which another kernel runs. So: whose kernel, which PID from inside and from outside, how long
until its first program has run. The rung of VMs is only looked at; chapter 02 builds one.
"""

import ctypes
import os
import sys
import time

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
ALL = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET


def main():
    if os.geteuid() != 0:
        sys.exit("spectrum: a container by hand needs root")
    rows = [rung("process", 0), rung("container", ALL)]
    print(f"{'':11}{'kernel':24}{'PID inside':12}{'PID outside':13}{'own namespaces':16}start")
    for name, inside, pid, own, start in rows:
        release, its_pid = inside.split()
        print(f"{name:11}{release:24}{its_pid:12}{pid!s:13}{own!s:16}{start:.1f} ms")
    print(f"{'VM':11}{virtual_machines()}")


def rung(name, flags):
    """Name; what the process sees; its PID here; how many namespaces of its own; the best start of ten."""
    inside, pid, own = look(flags)
    return name, inside, pid, own, min(start(flags) for _ in range(10)) * 1000


# [look]
def look(flags):
    """Lets a process say who and where it is, and looks at it from here."""
    (read, write), (wait, go) = os.pipe(), os.pipe()
    # It lets go of its own copy of `go`: if we end too early, it reads the end of file, and ends as well.
    middle = fork_with(flags, lambda: (os.close(go), os.write(write, told().encode()), os.read(wait, 1)))
    inside = os.read(read, 100).decode()
    pid = int(open(f"/proc/{middle}/task/{middle}/children").read())
    kinds = [kind for kind in os.listdir("/proc/self/ns") if not kind.endswith("_for_children")]
    own = sum(os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}") for kind in kinds)
    os.write(go, b".")
    os.waitpid(middle, 0)
    return inside, pid, own
    # [/look]


def told():
    return f"{os.uname().release} {os.getpid()}"


def start(flags):
    """Seconds from the wish to the end of the first program, true(1)."""
    begin = time.perf_counter()
    os.waitpid(fork_with(flags, lambda: os.execvp("true", ["true"])), 0)
    return time.perf_counter() - begin


# [by-hand]
def fork_with(flags, function):
    """A child, with new namespaces, and its child: a PID namespace is for the children of its maker."""
    if (middle := os.fork()) == 0:
        if flags and ctypes.CDLL(None).unshare(flags) < 0:
            os._exit(1)
        if (pid := os.fork()) == 0:
            function()
            os._exit(0)
        os.closerange(3, 256)  # the pipes are for the other two
        os.waitpid(pid, 0)
        os._exit(0)
    return middle
    # [/by-hand]


def virtual_machines():
    """What this machine has of them, and whether it is one itself."""
    found = []
    if "hypervisor" in open("/proc/cpuinfo").read().split():
        found.append("this machine is one itself (the processor's flag hypervisor)")
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
        found.append("it can run more: /dev/kvm opens")
    except OSError as error:
        found.append(f"/dev/kvm: {error.strerror}")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = open(f"/proc/{pid}/comm").read().strip()
        except OSError:
            continue  # it ended meanwhile
        if name.startswith(("qemu", "firecracker", "cloud-hyperviso")):
            found.append(f"process {pid}, {name}, is one")
    return "; ".join(found)


if __name__ == "__main__":
    main()
