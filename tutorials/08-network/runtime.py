"""A container runtime of our own, chapter 08: a cable.

    python3 runtime.py run ROOTFS CMD [ARG...]

Can now:      reach other machines: bridge, veth, address, default route, NAT, by ip(8) and nft(8).
Left out:     07's privileges, 06's layers, 05's limits, 04's host name and /sys: a page is short.
Still lacks:  ports, DNS, IPv6. Killed with SIGKILL it leaves a bridge and a table of nft, learnPID.
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000  # the oldest one, hence the name: "new namespace" is that of the mounts
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
PR_SET_PDEATHSIG, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
undo = contextlib.ExitStack()  # what this process makes on the host; it goes when the program has ended


def run(rootfs, *command):
    """Two processes now: this one stays on the host and waits, its child becomes the program."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they wait until there is somebody to end
    ours, theirs = socket.socketpair()
    call("unshare", CLONE_NEWPID)
    if (pid := os.fork()) == 0:
        undo.pop_all()  # not the child's business
        container(theirs, rootfs, command)
    call("setns", os.open("/proc/self/ns/pid", os.O_RDONLY), CLONE_NEWPID)  # ip and nft are the host's
    theirs.close()  # so that its death, too, is heard
    if ours.recv(1):
        plug(pid)
        ours.send(b".")
    for number in SIGNALS:
        signal.signal(number, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number


# [plug]
def plug(pid):
    """A bridge, a cable from it into the network namespace of pid, and a way out into the world."""
    name, inside = f"learn{pid}", f"nsenter -t {pid} -n ip"
    routes = subprocess.check_output(["ip", "-4", "route"], text=True)
    net = next(f"10.{number}.{pid % 256}" for number in range(88, 256) if f"10.{number}." not in routes)
    nat = f"type nat hook postrouting priority srcnat; ip saddr {net}.2 masquerade;"
    router = open("/proc/sys/net/ipv4/ip_forward").read()  # whether this machine was one before
    for line in (f"sysctl -qw net.ipv4.ip_forward={router}", f"nft delete table ip {name}"):
        undo.callback(subprocess.run, line.split())
    for end in (name, f"{name}v"):  # the cable goes with the namespace in any case, but takes its time
        undo.callback(subprocess.run, ["ip", "link", "delete", end], stderr=subprocess.DEVNULL)
    for line in f"""ip link add {name} type bridge
        ip address add {net}.1/24 dev {name}
        ip link set {name} up
        ip link add {name}v type veth peer name eth0 netns {pid}
        ip link set {name}v master {name} up
        {inside} address add {net}.2/24 dev eth0
        {inside} link set group default up
        {inside} route add default via {net}.1
        sysctl -qw net.ipv4.ip_forward=1
        nft add table ip {name} {{ chain out {{ {nat} }}; }}""".splitlines():
        subprocess.run(line.split(), check=True)
    # [/plug]


def container(gate, rootfs, command):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # no container without its runtime
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    gate.send(b".")  # the network namespace is there: plug in, then ...
    gate.recv(1)  # ... let it run
    enter(rootfs)
    execute(command)


def enter(rootfs):
    """Makes rootfs the root of this mount namespace, and takes the old root out of it."""
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    call("mount", "proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    call("mount", "tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.close(os.open(f"dev/{name}", os.O_CREAT))  # a file to mount on
        call("mount", f"/dev/{name}", f"dev/{name}", None, MS_BIND, None)
    call("pivot_root", ".", ".")  # now the old root lies on top of the new one, at the same place
    call("umount2", ".", MNT_DETACH)  # and what lies on top is what goes
    os.chdir("/")


def execute(command):
    """Becomes the program: the same process, the same surroundings, another text."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would keep that
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.execvpe(command[0], command, ENVIRONMENT)


def call(name, *arguments):
    """A system call, by its name in the C library; an OSError tells what failed."""
    if getattr(libc, name)(*(os.fsencode(a) if isinstance(a, str) else a for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {name}{arguments}")


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] != "run":
        sys.exit("usage: runtime.py run ROOTFS CMD [ARG...]")
    try:
        with undo:
            sys.exit(run(*sys.argv[2:]))
    except (OSError, subprocess.CalledProcessError) as error:  # a child's too: it ends here, and at once
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
