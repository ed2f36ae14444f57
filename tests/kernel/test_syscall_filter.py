"""The installed filter, seen from the kernel: what a filtered process is and what it may do."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from minirun.isolation import syscall_filter
from minirun.linux import libc
from minirun.spec import Capabilities, Linux, Process, Seccomp, Spec, SyscallArg, SyscallRule
from tests.needs import needs

pytestmark = [needs("seccomp"), pytest.mark.bed]
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
DEFAULT = Seccomp(defaultAction="SCMP_ACT_ERRNO", profile="default")


def filtered(wanted: Seccomp, act: Callable[[], object], bounding: tuple[str, ...] = ()) -> str:
    """What ``act`` gives in a child under the filter: its result, or the name of its errno.

    A child that a signal ends gives the signal's name.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            spec = Spec(
                process=Process(args=("true",), capabilities=Capabilities(bounding=bounding)),
                linux=Linux(seccomp=wanted),
            )
            libc.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            for step in syscall_filter.steps(spec, "/proc/no/cache"):
                for call in step.calls:
                    call({})
            os.write(writer, outcome(act).encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else said


def outcome(act: Callable[[], object]) -> str:
    try:
        return str(act())
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def status_field(name: str) -> str:
    text = Path("/proc/self/status").read_text()
    return next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:"))


def raw(number: int, *args: int) -> int:
    words = [ctypes.c_ulong(arg) for arg in args]
    return libc.checked(libc.libc.syscall(ctypes.c_long(number), *words))


def rule(name: str, action: str, *args: SyscallArg, errno_ret: int | None = None) -> SyscallRule:
    return SyscallRule(names=(name,), action=action, args=args, errnoRet=errno_ret)


def test_the_process_is_in_filter_mode() -> None:
    assert filtered(DEFAULT, lambda: status_field("Seccomp")) == "2"
    assert filtered(DEFAULT, lambda: status_field("Seccomp_filters")) == str(
        int(status_field("Seccomp_filters")) + 1
    )


def test_it_stays_through_fork_and_execve() -> None:
    assert filtered(DEFAULT, lambda: os.popen("grep -w Seccomp: /proc/self/status").read().split()[1]) == "2"


def test_ordinary_work_goes_on(tmp_path: Path) -> None:
    def work() -> str:
        (tmp_path / "file").write_text("text")
        socket.socket(socket.AF_INET).close()
        socket.socketpair()[0].close()
        return (tmp_path / "file").read_text()

    assert filtered(DEFAULT, work) == "text"


@pytest.mark.parametrize(
    ("name", "args"),
    [("open_tree", (0, 0, 0)), ("fsopen", (0, 0)), ("seccomp", (99, 0, 0)), ("bpf", (0, 0, 0))],
)
def test_a_denied_call_says_eperm_and_an_allowed_one_is_made(name: str, args: tuple[int, ...]) -> None:
    answer = filtered(DEFAULT, lambda: raw(libc.NUMBERS[name], *args))
    assert answer == ("EINVAL" if name == "seccomp" else "EPERM")


def test_clone3_is_not_there_without_cap_sys_admin() -> None:
    assert filtered(DEFAULT, lambda: raw(libc.NUMBERS["clone3"], 0, 0)) == "ENOSYS"
    assert filtered(DEFAULT, lambda: raw(libc.NUMBERS["clone3"], 0, 0), ("CAP_SYS_ADMIN",)) == "EINVAL"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers below are those of x86_64")
class TestX8664:
    """Calls by number, arguments included."""

    CLONE, PERSONALITY, READ, GETPPID, GETPRIORITY = 56, 135, 0, 110, 140

    def test_no_user_namespace_by_clone(self) -> None:
        answer = filtered(DEFAULT, lambda: raw(self.CLONE, CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0))
        assert answer == "EPERM"

    def test_fork_goes_on(self) -> None:
        def fork() -> int:
            child = os.fork()
            if child == 0:
                os._exit(7)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        assert filtered(DEFAULT, fork) == "7"

    def test_families_of_sockets(self) -> None:
        for family in (socket.AF_ALG, socket.AF_VSOCK, 1 << 32 | socket.AF_ALG):
            assert filtered(DEFAULT, partial(raw, 41, family, 5, 0)) == "EPERM"

    def test_personalities(self) -> None:
        assert filtered(DEFAULT, lambda: raw(self.PERSONALITY, 0xFFFFFFFF)) == "0"
        assert filtered(DEFAULT, lambda: raw(self.PERSONALITY, 0x40000)) == "EPERM"

    def test_x32_kills(self) -> None:
        assert filtered(DEFAULT, lambda: raw(1 << 30 | self.GETPPID)) == "SIGSYS"

    def test_numbers_from_the_future(self) -> None:
        assert filtered(DEFAULT, lambda: raw(600)) == "ENOSYS"

    @pytest.mark.parametrize(
        ("action", "errno_ret", "seen"),
        [
            ("SCMP_ACT_ERRNO", errno.EXDEV, "EXDEV"),
            ("SCMP_ACT_ERRNO", None, "EPERM"),
            ("SCMP_ACT_TRAP", None, "SIGSYS"),
            ("SCMP_ACT_KILL", None, "SIGSYS"),
            ("SCMP_ACT_KILL_THREAD", None, "SIGSYS"),
            ("SCMP_ACT_KILL_PROCESS", None, "SIGSYS"),
            ("SCMP_ACT_TRACE", None, "ENOSYS"),  # nobody traces: seccomp(2)
            ("SCMP_ACT_LOG", None, "20"),
        ],
    )
    def test_actions(self, action: str, errno_ret: int | None, seen: str) -> None:
        deny = rule("getpriority", action, errno_ret=errno_ret)
        wanted = Seccomp(defaultAction="SCMP_ACT_ALLOW", syscalls=(deny,))
        assert filtered(wanted, lambda: raw(self.GETPRIORITY, 0, 0)) == seen

    @pytest.mark.parametrize("flag", ["TSYNC", "LOG", "SPEC_ALLOW"])
    def test_flags(self, flag: str) -> None:
        deny = rule("getpriority", "SCMP_ACT_ERRNO")
        wanted = Seccomp(
            defaultAction="SCMP_ACT_ALLOW", flags=(f"SECCOMP_FILTER_FLAG_{flag}",), syscalls=(deny,)
        )
        assert filtered(wanted, lambda: raw(self.GETPRIORITY, 0, 0)) == "EPERM"

    @pytest.mark.parametrize(
        ("op", "value", "second", "denied"),
        [
            ("EQ", 1 << 40, 0, [1 << 40]),
            ("NE", 1 << 40, 0, [0, (1 << 40) - 1, 1 << 40 | 1]),
            ("LT", 1 << 40, 0, [0, (1 << 40) - 1]),
            ("LE", 1 << 40, 0, [0, (1 << 40) - 1, 1 << 40]),
            ("GE", 1 << 40, 0, [1 << 40, 1 << 40 | 1]),
            ("GT", 1 << 40, 0, [1 << 40 | 1]),
            ("MASKED_EQ", 1 << 40 | 1, 1 << 40, [1 << 40]),
        ],
    )
    def test_operators_on_64_bits(self, op: str, value: int, second: int, denied: list[int]) -> None:
        condition = SyscallArg(index=1, op=f"SCMP_CMP_{op}", value=value, valueTwo=second)
        deny = rule("getpriority", "SCMP_ACT_ERRNO", condition, errno_ret=errno.EXDEV)
        wanted = Seccomp(defaultAction="SCMP_ACT_ALLOW", syscalls=(deny,))
        for who in (0, (1 << 40) - 1, 1 << 40, 1 << 40 | 1):
            # PRIO_PROCESS 9 does not exist, so that what is let through says EINVAL.
            answer = filtered(wanted, partial(raw, self.GETPRIORITY, 9, who))
            assert answer == ("EXDEV" if who in denied else "EINVAL"), hex(who)
