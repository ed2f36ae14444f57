"""Processes: made by clone3(2), watched through pidfds, replaced by execve(2).

Layer ``linux``. minirun has one thread, so the child of a bare clone3 may go
on in the same interpreter. A forked child ends in ``execve`` or ``leave``,
never in the parent's cleanup. Read ``container/create.py`` next.
"""

from __future__ import annotations

import ctypes
import errno
import os

from minirun.linux.libc import NUMBERS, raw
from minirun.linux.namespace import CloneFlag, join
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    import _socket
    import signal as _signal
    from collections.abc import Callable, Sequence
    from typing import NoReturn
else:
    import _signal  # the C module: importing signal costs more than all of its calls

_SIGCHLD = 17
_SIGKILL = 9
_CLOSE_RANGE_CLOEXEC = 4
_LAST_FD = 0xFFFFFFFF
#: Two signals that the C library keeps to itself: it lets nobody set them, but
#: its posix_spawn (make uses it) leaves them ignored in the new program.
_LIBRARYS_OWN = (32, 33)
_SIGACTION = 32  # the size of the kernel's struct sigaction; all zero is SIG_DFL


class _CloneArgs(ctypes.Structure):
    """struct clone_args of <linux/sched.h>, version 2 (with ``cgroup``)."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup"
        ).split()
    ]


def _show_clone3(flags: CloneFlag, cgroup: str | None = None, join_user: str = "") -> str:
    into = f', cgroup="{cgroup}"' if cgroup else ""
    signal = 0 if flags & CloneFlag.PARENT else "SIGCHLD"
    return f"clone3({{flags={_with_cgroup(flags, cgroup)}, exit_signal={signal}{into}}})"


@syscall("clone3", show=_show_clone3)
def clone3(flags: CloneFlag, cgroup: str | None = None) -> int:
    """Makes a child in new namespaces; 0 in the child, its pid in the parent.

    ``cgroup`` is the cgroup v2 directory in which the child is born (Linux
    5.7): cheaper than moving it there, and no moment outside its limits.
    """
    # With CLONE_PARENT the child gets the signal that its new sibling, the caller, has.
    args = _CloneArgs(exit_signal=0 if flags & CloneFlag.PARENT else _SIGCHLD)
    fd = -1
    if cgroup:
        fd = os.open(cgroup, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        args.cgroup = fd
    args.flags = int(_with_cgroup(flags, cgroup))
    try:
        return raw("clone3", ctypes.byref(args), ctypes.sizeof(args))
    finally:
        if fd >= 0:
            os.close(fd)


@syscall(
    "clone3",
    show=lambda user, flags, cgroup=None: (
        f'setns("{user}", CLONE_NEWUSER) and, from inside, ' + _show_clone3(flags | CloneFlag.PARENT, cgroup)
    ),
)
def clone3_inside(user: str, flags: CloneFlag, cgroup: str | None = None) -> int:
    """clone3 from inside the user namespace ``user``, as a child of the caller.

    The new namespaces belong to the user namespace that their maker stands in,
    and the caller must not lose its own: so a helper process goes in and clones
    with CLONE_PARENT. Gives 0 in the child, its pid in the caller.
    """
    import _socket

    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    helper = os.fork()
    if helper == 0:
        ours.close()
        try:
            join(user, CloneFlag.NEWUSER)
            pid = clone3(flags | CloneFlag.PARENT, cgroup)
            if pid:
                _send_pidfd(theirs, pid)
        except OSError as error:
            theirs.send(b"%d" % (error.errno or errno.EIO))
            leave(1)
        if pid:
            leave(0)
        theirs.close()
        return 0
    theirs.close()
    pid, number = _receive_pid(ours)
    ours.close()
    os.waitpid(helper, 0)
    if number:
        raise OSError(number, os.strerror(number), user)
    return pid


def _send_pidfd(to: _socket.socket, pid: int) -> None:
    """Sends the process ``pid`` itself: its number means nothing in another PID namespace."""
    import _socket
    import array

    rights = array.array("i", [pidfd_open(pid)])
    to.sendmsg([b"0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])


def _receive_pid(sock: _socket.socket) -> tuple[int, int]:
    """The number that the process has here, and 0; or 0 and an errno."""
    import _socket
    import array

    text, rights, _, _ = sock.recvmsg(16, _socket.CMSG_LEN(4), _socket.MSG_CMSG_CLOEXEC)
    if not rights:
        return 0, int(text or errno.EIO)
    (pidfd,) = array.array("i", rights[0][2])
    with open(f"/proc/self/fdinfo/{pidfd}", "rb") as info:
        pid = int(info.read().partition(b"Pid:")[2].split()[0])
    os.close(pidfd)
    return pid, 0


def kill_and_reap(pid: int) -> None:
    """Ends the child ``pid`` with SIGKILL and takes its status; gone already is fine."""
    if pid <= 0:
        return  # kill(2) would take it for a whole process group
    try:
        os.kill(pid, _SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def kill_and_wait(pid: int) -> None:
    """Ends ``pid``, which need not be a child, and waits until it is dead."""
    import select

    try:
        pidfd = pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        pidfd_send_signal(pidfd, _SIGKILL)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll()
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


def _with_cgroup(flags: CloneFlag, cgroup: str | None) -> CloneFlag:
    return flags | CloneFlag.INTO_CGROUP if cgroup else flags


def fork(child: Callable[[], object]) -> int:
    """Runs ``child()`` in a new process, which then ends; gives its pid.

    The child's exit status is what ``child`` returns (None is 0), 125 when it raises.
    """
    pid = os.fork()
    if pid == 0:
        status = 125
        try:
            status = int(child() or 0)  # type: ignore[call-overload]  # int or None
        finally:
            leave(status)
    return pid


def leave(status: int) -> NoReturn:
    """Ends this process at once: no atexit, no flush of what the parent buffered."""
    os._exit(status)


def show_execve(path: object, args: Sequence[str], env: Sequence[str]) -> str:
    """``execve("/bin/true", ["true"], [/* 3 vars */])``."""
    shown = ", ".join(f'"{arg}"' for arg in args)
    return f'execve("{path}", [{shown}], [/* {len(env)} vars */])'


@syscall("execve", show=show_execve)
def execve(path: str, args: Sequence[str], env: Sequence[str]) -> NoReturn:
    """Replaces this process by the program at ``path``; ``env`` are NAME=VALUE strings."""
    pairs = (item.partition("=") for item in env)
    os.execve(path, list(args), {name: value for name, _, value in pairs})


@syscall("setsid")
def setsid() -> bool:
    """Makes the caller the leader of a new session, without a terminal; False if it leads one."""
    if os.getsid(0) == os.getpid():
        return False  # a start that plans anew goes through here twice
    os.setsid()
    return True


@syscall("prctl", show=lambda: "prctl(PR_SET_PDEATHSIG, SIGKILL)")
def die_with_parent() -> None:
    """Has the kernel end this process when the one that made it has died; kept over execve(2)."""
    import prctl

    prctl.set_pdeathsig(_SIGKILL)


@syscall("getppid")
def is_child_of(pid: int) -> int:
    """The parent's pid. Raises ProcessLookupError when that is not ``pid`` any more: it has died."""
    parent = os.getppid()
    if parent != pid:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return parent


@syscall("dup2")
def dup2(fd: int, onto: int) -> None:
    """Makes ``onto`` another number for the open file ``fd``; it stays open at execve."""
    os.dup2(fd, onto)


@syscall("rt_sigaction", "sigaction(2)", show=lambda: "rt_sigaction(each that is ignored, a handler)")
def stop_ignoring_signals() -> None:
    """Lets execve(2) give every signal its default effect, and blocks none.

    What is ignored stays ignored through execve, what is caught is reset: so
    the ignored ones are caught, by a handler that will never be there to run.
    """
    for number in _signal.valid_signals():
        if _signal.getsignal(number) == _signal.SIG_IGN:
            _signal.signal(number, lambda *_: None)
    for own in _LIBRARYS_OWN if "rt_sigaction" in NUMBERS else ():
        raw("rt_sigaction", own, bytes(_SIGACTION), None, 8)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


@syscall("dup2", show=lambda fd: f'dup2(open("/dev/null", O_RDWR), {fd})')
def let_go_of(fd: int) -> None:
    """Puts /dev/null in the place of ``fd``: whoever reads from it sees the end."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, fd)
    if null != fd:
        os.close(null)


def pidfd_open(pid: int) -> int:
    """A file descriptor for ``pid``: readable once it is dead, never another process."""
    return os.pidfd_open(pid)


def pidfd_send_signal(pidfd: int, number: int) -> None:
    """Sends signal ``number`` to exactly the process that ``pidfd`` was opened for."""
    raw("pidfd_send_signal", pidfd, number, 0, 0)


@syscall("close_range", show=lambda first: f"close_range({first}, ~0U, CLOSE_RANGE_CLOEXEC)")
def close_on_exec(first: int) -> None:
    """Marks every descriptor from ``first`` up close-on-exec (Linux 5.11)."""
    raw("close_range", first, _LAST_FD, _CLOSE_RANGE_CLOEXEC)


def start_time(pid: int) -> int:
    """When ``pid`` began, in clock ticks since boot: with the pid, an identity.

    0 when there is no such process or it is dead already (a zombie).
    See proc(5), /proc/PID/stat, fields 3 and 22.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])
