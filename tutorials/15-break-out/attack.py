"""Small attacks, to be made by root inside of a container: which of its walls is missing?

    python3 attack.py --yes [NAME...]      all of them, or those named

Each in a child of its own; nothing is changed for good. On a host nearly all of them would succeed.
"""

import ctypes
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)


# [attacks]
def escape_chroot():
    """Get at the host's files: the way out of chapter 03."""
    before = os.stat("/")
    os.chroot("/tmp")
    os.chdir("../" * 64)
    os.chroot(".")
    if os.path.samestat(before, os.stat("/")):
        raise OSError("there is nothing above /")


def make_device():
    """Make a device file, here for the kernel's log, and read what no file's permissions protect."""
    os.mknod("/tmp/device", 0o020600, os.makedev(1, 11))
    try:
        os.read(os.open("/tmp/device", os.O_RDONLY | os.O_NONBLOCK), 8192)
    finally:
        os.unlink("/tmp/device")


def mount_something():
    """Mount, the beginning of many ways out; in a mount namespace of our own, so that it goes away."""
    call("unshare", 0x00020000)
    call("mount", b"proc", b"/tmp", b"proc", 0, None)


def new_user():
    """Be root of a new user namespace, with all capabilities in it: where many a hole begins."""
    call("unshare", 0x10000000)


def host_process():
    """See a kernel thread, which is in the PID namespace of the host alone, and send it a signal."""
    if open("/proc/2/comm").read() != "kthreadd\n":
        raise OSError("PID 2 is one of ours")
    os.kill(2, 0)  # 0 is only a question: may I?


def fork_bomb():
    """A thousand processes: is there a limit before? (A real one would not stop there.)"""
    children = []
    try:
        for _ in range(1000):
            if (pid := os.fork()) == 0:
                signal.pause()
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def write_sysctl():
    """Write to /proc/sys, and so to the kernel that all share (the value that is there)."""
    with open("/proc/sys/kernel/panic") as value, open("/proc/sys/kernel/panic", "w") as knob:
        knob.write(value.read())


def trace_neighbour():
    """Take hold of another process with ptrace, here a child: that is where reading others begins."""
    if (pid := os.fork()) == 0:
        signal.pause()
    try:
        call("ptrace", 0x4206, pid, None, None)  # PTRACE_SEIZE
    finally:
        os.kill(pid, signal.SIGKILL)


def load_module():
    """Load code into the kernel. Ours is empty: whom it tells so (8 or 22) it would have let in."""
    number = 273 if os.uname().machine == "aarch64" else 313  # finit_module(2)
    answer = libc.syscall(number, os.memfd_create("module"), b"", 0)
    if answer < 0 and ctypes.get_errno() not in (8, 22):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    # [/attacks]


ATTACKS = [escape_chroot, make_device, mount_something, new_user, host_process, fork_bomb]
ATTACKS += [write_sysctl, trace_neighbour, load_module]


def main(names):
    for attack in ATTACKS:
        if (name := attack.__name__.replace("_", "-")) not in (names or [name]):
            continue
        if (pid := os.fork()) == 0:
            try:
                attack()
                print(f"{name:20} succeeded", flush=True)
            except OSError as error:
                print(f"{name:20} stopped: {error.strerror or error}", flush=True)
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            print(f"{name:20} stopped: killed", flush=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--yes"]:
        sys.exit("usage: attack.py --yes [NAME...]; read it first")
    main(sys.argv[2:])
