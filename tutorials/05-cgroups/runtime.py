"""A container runtime of our own, chapter 05: no more than its share.

    python3 runtime.py run [--memory 64M] [--pids 20] [--cpus 0.5] ROOTFS CMD [ARG...]

Can now:      as in chapter 04 (which keeps lo and /sys: a page is short), within limits.
Still lacks:  layers: writes change ROOTFS itself. Killed with SIGKILL it leaves the cgroups, empty.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import sys

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
CGROUPS, UNIFIED = "/sys/fs/cgroup", os.path.exists("/sys/fs/cgroup/cgroup.controllers")
LIMITS = {"--memory": "memory.limit_in_bytes", "--pids": "pids.max", "--cpus": "cpu.cfs_quota_us"}  # of v1
undo = contextlib.ExitStack()  # what this process makes on the host; it goes when the program has ended


def run(*words):
    """Two processes now: this one stays on the host and waits, its child becomes the program."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they wait until there is somebody to end
    groups = set()
    while words[0] in LIMITS:
        option, value, *words = words
        groups.add(limit(option, value))
    # A process keeps its PID for life: this namespace is for children to come, the first is PID 1.
    call("unshare", CLONE_NEWPID)
    if (pid := os.fork()) == 0:
        undo.pop_all()  # not the child's business
        container(groups, *words)
    for number in SIGNALS:
        signal.signal(number, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number


# [limit]
def limit(option, value):
    """Makes the cgroup that has this limit: version 1 has a tree per controller, 2 one for all."""
    controller = LIMITS[option].partition(".")[0]
    tree = pathlib.Path(CGROUPS, "" if UNIFIED else controller)
    group = tree / "minirun" / f"learn-{os.getpid()}"
    if not group.exists():
        group.mkdir(parents=True)
        undo.callback(group.rmdir)
    if UNIFIED:  # a group's children have the controllers that it says here
        for above in (tree, tree / "minirun"):
            (above / "cgroup.subtree_control").write_text(f"+{controller}")
    value = f"{float(value) * 100000:.0f}" if option == "--cpus" else value  # microseconds of each 100000
    (group / (f"{controller}.max" if UNIFIED else LIMITS[option])).write_text(value)
    swap = "memory.swap.max" if UNIFIED else "memory.memsw.limit_in_bytes"
    if option == "--memory" and (group / swap).exists():
        (group / swap).write_text("0" if UNIFIED else value)  # else it would go on, in swap
    return group
    # [/limit]


def container(groups, rootfs, *command):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # no container without its runtime
    for group in groups:
        (group / "cgroup.procs").write_text("0")  # 0: who writes. Before there is more of us
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    # The copies still tell each other of new mounts where / is shared, as systemd makes it.
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    socket.sethostname("container")
    enter(rootfs)
    execute(command)


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
        sys.exit("usage: runtime.py run [LIMIT...] ROOTFS CMD [ARG...]")
    try:
        with undo:
            sys.exit(run(*sys.argv[2:]))
    except OSError as error:  # a child's too: it ends here, and at once
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
