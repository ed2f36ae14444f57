"""A container runtime of our own, chapter 16: nobody's root.

    python3 runtime.py run ROOTFS CMD [ARG...]

Can now:      all of this by whoever calls it: a user namespace comes first, and the rest is its own.
Left out:     what somebody on the host would have to grant: limits, layers of others, a cable.
Still lacks:  more than one user. Files of the host's root are nobody's in here.
Killed with SIGKILL it leaves nothing: the kernel then kills PID 1, and with it all the others.
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
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}


# [run]
def run(rootfs, *command):
    """Becomes root first, of a namespace in which there is nothing yet; then all is as in chapter 04."""
    become_root(os.geteuid(), os.getegid())
    call("unshare", CLONE_NEWPID)  # its owner is the user namespace that we are in now, as of all below
    if (pid := os.fork()) == 0:
        container(rootfs, command)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends us, and PR_SET_PDEATHSIG the child
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number
    # [/run]


# [root]
def become_root(uid, gid):
    """The one namespace that needs no rights; the map says who its root is on the host."""
    call("unshare", CLONE_NEWUSER)
    for name, text in (
        ("uid_map", f"0 {uid} 1"),  # inside, outside, how many: without rights outside just oneself
        ("setgroups", "deny"),  # else one could leave a group that a file shuts out
        ("gid_map", f"0 {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    # [/root]


def container(rootfs, command):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # no container without its runtime
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    socket.sethostname("container")
    enter(rootfs)
    execute(command)


def enter(rootfs):
    """Makes rootfs the root of this mount namespace, and takes the old root out of it."""
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    # proc and sysfs show a PID and a network namespace: they may be mounted by whoever owns that.
    call("mount", "proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    call("mount", "sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    call("mount", "tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.close(os.open(f"dev/{name}", os.O_CREAT))  # mknod(2) is refused, even to this root
        call("mount", f"/dev/{name}", f"dev/{name}", None, MS_BIND, None)
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
