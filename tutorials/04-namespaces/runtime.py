"""A container runtime of our own, chapter 04: a world of its own to look at.

    python3 runtime.py run ROOTFS CMD [ARG...]

Can now:      run CMD as PID 1, with a host name, System V IPC, a network (lo alone) and a view
              of the cgroups of its own; /proc, /sys and a small /dev.
Still lacks:  limits; a network that leads anywhere; its root may do all that the host's root
              may (user.py shows the other way). Writes change ROOTFS itself.
Killed with SIGKILL it leaves nothing: the kernel then kills PID 1, and with it all the others.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

libc = ctypes.CDLL(None, use_errno=True)
# <sched.h>, <sys/mount.h>, <sys/prctl.h>
CLONE_NEWNS = 0x00020000  # the oldest one, hence the name: "new namespace" is that of the mounts
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}


# [run]
def run(rootfs, *command):
    """Two processes now: this one stays on the host and waits, its child becomes the program."""
    # A process keeps its PID for life: this namespace is for children to come, the first is PID 1.
    call("unshare", CLONE_NEWPID)
    if (pid := os.fork()) == 0:
        container(rootfs, command)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends us, and PR_SET_PDEATHSIG the child
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number
    # [/run]


# [container]
def container(rootfs, command):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # no container without its runtime
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    # The copies still tell each other of new mounts where / is shared, as systemd makes it.
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    socket.sethostname("container")
    loopback_up()
    enter(rootfs)
    execute(command)
    # [/container]


def loopback_up():
    """A new network namespace has one interface, and even that is down."""
    request = struct.pack("16sh14x", b"lo", 1)  # struct ifreq: the name, and the flags: IFF_UP
    fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, request)  # SIOCSIFFLAGS


def enter(rootfs):
    """Makes rootfs the root of this mount namespace, and takes the old root out of it."""
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    # [kernel-files]
    # What no image brings: files in which the kernel talks. /proc tells of our PID namespace.
    call("mount", "proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    call("mount", "sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    call("mount", "tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.close(os.open(f"dev/{name}", os.O_CREAT))  # a file to mount on
        call("mount", f"/dev/{name}", f"dev/{name}", None, MS_BIND, None)
    # [/kernel-files]
    call("pivot_root", ".", ".")  # now the old root lies on top of the new one, at the same place
    call("umount2", ".", MNT_DETACH)  # and what lies on top is what goes
    os.chdir("/")


def execute(command):
    """Becomes the program: the same process, the same surroundings, another text."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would keep that
    os.execvpe(command[0], command, ENVIRONMENT)


def call(name, *arguments):
    """A system call, by its name in the C library; an OSError tells what failed."""
    if getattr(libc, name)(*(os.fsencode(a) if isinstance(a, str) else a for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {name}{arguments}")


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] != "run":
        sys.exit("usage: runtime.py run ROOTFS CMD [ARG...]")
    try:
        sys.exit(run(*sys.argv[2:]))
    except OSError as error:  # a child's too: it ends here, and at once
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
