"""A container runtime of our own, chapter 03: a root directory that cannot be left.

    python3 runtime.py run ROOTFS CMD [ARG...]

Can now:      run CMD with ROOTFS as its /, and nothing of the host's tree within reach.
Still lacks:  all the rest is the host's: its processes, its name, its network, its memory
              to the last byte. No /proc, no /dev. Writes change ROOTFS itself.
Killed with SIGKILL it leaves nothing: a mount namespace ends with its last process.
"""

import ctypes
import os
import signal
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

libc = ctypes.CDLL(None, use_errno=True)
# <sched.h>, <sys/mount.h>
CLONE_NEWNS = 0x00020000  # the oldest one, hence the name: "new namespace" is that of the mounts
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}


def run(rootfs, *command):
    """One process does it all: it changes its own surroundings, and becomes the program."""
    container(rootfs, command)


# [container]
def container(rootfs, command):
    call("unshare", CLONE_NEWNS)  # a copy of the table of mounts, for this process alone
    # The copies still tell each other of new mounts where / is shared, as systemd makes it.
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    enter(rootfs)
    execute(command)
    # [/container]


# [pivot]
def enter(rootfs):
    """Makes rootfs the root of this mount namespace, and takes the old root out of it."""
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    call("pivot_root", ".", ".")  # now the old root lies on top of the new one, at the same place
    call("umount2", ".", MNT_DETACH)  # and what lies on top is what goes
    os.chdir("/")
    # [/pivot]


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
    except OSError as error:
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
