"""A container runtime of our own, chapter 06: layers, of which only the topmost is written to.

    python3 runtime.py run LAYER[:LAYER...] CMD [ARG...]        the topmost layer first

Can now:      run any number of containers over the same directories, and change none of them.
Left out:     limits (chapter 05), lo and /sys (chapter 04): a page is short.
Still lacks:  root inside may do what the host's root may, for instance mount.
Killed with SIGKILL it takes the container along, but leaves the top layer, in the host's /tmp.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
# <sched.h>, <sys/mount.h>, <sys/prctl.h>
CLONE_NEWNS = 0x00020000  # the oldest one, hence the name: "new namespace" is that of the mounts
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
undo = contextlib.ExitStack()  # what this process makes on the host; it goes when the program has ended


def run(layers, *command):
    """Two processes now: this one stays on the host and waits, its child becomes the program."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they wait until there is somebody to end
    # [top]
    top = tempfile.mkdtemp(prefix=f"minirun-learn-{os.getpid()}-")
    undo.callback(shutil.rmtree, top)
    # [/top]
    # A process keeps its PID for life: this namespace is for children to come, the first is PID 1.
    call("unshare", CLONE_NEWPID)
    if (pid := os.fork()) == 0:
        undo.pop_all()  # not the child's business
        container(layers, top, command)
    for number in SIGNALS:
        signal.signal(number, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number


def container(layers, top, command):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # no container without its runtime
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    # The copies still tell each other of new mounts where / is shared, as systemd makes it.
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    socket.sethostname("container")
    enter(stack(layers, top))
    execute(command)


# [stack]
def stack(layers, top):
    """One tree out of many: what a layer has hides what the layers under it have there."""
    for name in ("upper", "work", "merged"):
        os.mkdir(f"{top}/{name}")
    # A file of a layer is copied up to upperdir when it is opened to be written (copy on write); what is
    # deleted leaves a whiteout there. workdir is the kernel's own, on the same filesystem as upperdir.
    options = f"lowerdir={layers},upperdir={top}/upper,workdir={top}/work"
    call("mount", "overlay", f"{top}/merged", "overlay", 0, options)
    return f"{top}/merged"
    # [/stack]


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
        sys.exit("usage: runtime.py run LAYER[:LAYER...] CMD [ARG...]")
    try:
        with undo:
            sys.exit(run(*sys.argv[2:]))
    except OSError as error:  # a child's too: it ends here, and at once
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
