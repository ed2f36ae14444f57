"""A container runtime of our own, chapter 09: a first process that knows its duty.

    python3 runtime.py run ROOTFS CMD [ARG...]

Can now:      end CMD politely: PID 1 is an init, which passes signals on, and buries orphans.
Left out:     network (08), privileges (07), layers (06), limits (05), lo and /sys (04).
Still lacks:  a terminal of its own: Ctrl-C there reaches all three, so the program hears it thrice.
Killed with SIGKILL it leaves nothing; the init is this Python, whose memory it takes (pause.c: less).
"""

import ctypes
import os
import signal
import socket
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

libc = ctypes.CDLL(None, use_errno=True)
# <sched.h>, <sys/mount.h>, <sys/prctl.h>
CLONE_NEWNS = 0x00020000  # the oldest one, hence the name: "new namespace" is that of the mounts
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}


def run(rootfs, *command):
    """Three processes now: this one, on the host; its child, the init; and the program."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they wait until there is somebody to pass them on to
    # A process keeps its PID for life: this namespace is for children to come, the first is PID 1.
    call("unshare", CLONE_NEWPID)
    if (pid := os.fork()) == 0:
        container(rootfs, command)
    pass_signals_to(pid)
    return exit_code(os.waitpid(pid, 0)[1])


def pass_signals_to(pid):
    for number in SIGNALS:
        signal.signal(number, lambda number, _: os.kill(pid, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def exit_code(status):
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number


def container(rootfs, command):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # no container without its runtime
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    # The copies still tell each other of new mounts where / is shared, as systemd makes it.
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    socket.sethostname("container")
    enter(rootfs)
    init(command)


# [init]
def init(command):
    """PID 1: the kernel spares it each signal without a handler, and gives it all orphans to bury."""
    if (pid := os.fork()) == 0:
        execute(command)
    pass_signals_to(pid)
    while True:
        dead, status = os.wait()  # whoever it was: until somebody asks, a dead process is a zombie
        if dead == pid:
            os._exit(exit_code(status))  # and the kernel kills who is left in this PID namespace
    # [/init]


def enter(rootfs):
    """Makes rootfs the root of this mount namespace, and takes the old root out of it."""
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    # What no image brings: files in which the kernel talks. /proc tells of our PID namespace.
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
        sys.exit(run(*sys.argv[2:]))
    except OSError as error:  # a child's too: it ends here, and at once
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
