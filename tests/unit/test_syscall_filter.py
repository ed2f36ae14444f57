"""The step that installs the filter, its flags, what is refused, and the cache."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minirun.errors import InvalidInput, MinirunError, Unsupported
from minirun.isolation import syscall_filter
from minirun.isolation.syscall_filter import cache, profile
from minirun.isolation.syscall_filter.compiler import compile_profile
from minirun.isolation.syscall_filter.listing import listing
from minirun.linux import seccomp
from minirun.linux.seccomp import SeccompFlag, SeccompReturn
from minirun.spec import Capabilities, Linux, Process, Seccomp, Spec, SyscallRule
from minirun.steps import INIT, Step
from minirun.values import decode

HEADER = Path("/usr/include/linux/seccomp.h")
DEFAULT = Seccomp(defaultAction="SCMP_ACT_ERRNO", profile="default")
WRITTEN_OUT = Seccomp(
    defaultAction="SCMP_ACT_ALLOW", syscalls=(SyscallRule(names=("mkdir",), action="SCMP_ACT_ERRNO"),)
)


def spec(wanted: Seccomp | None, bounding: tuple[str, ...] = ()) -> Spec:
    process = Process(args=("true",), capabilities=Capabilities(bounding=bounding))
    return Spec(process=process, linux=Linux(seccomp=wanted))


def only_step(wanted: Seccomp, directory: Path, bounding: tuple[str, ...] = ()) -> Step:
    (step,) = syscall_filter.steps(spec(wanted, bounding), str(directory))
    return step


def program(wanted: Seccomp, directory: Path, bounding: tuple[str, ...] = ()) -> bytes:
    installed = only_step(wanted, directory, bounding).calls[0].args[0]
    assert isinstance(installed, bytes)
    return installed


def test_no_profile_no_step(tmp_path: Path) -> None:
    assert list(syscall_filter.steps(spec(None), str(tmp_path))) == []


def test_one_call_on_the_init_side(tmp_path: Path) -> None:
    flags = ("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC")
    wanted = Seccomp(defaultAction="SCMP_ACT_ALLOW", flags=flags)
    step = only_step(wanted, tmp_path)
    assert step.side == INIT
    assert step.calls[0].args[1] == SeccompFlag.LOG | SeccompFlag.TSYNC
    assert re.fullmatch(
        r"seccomp\(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC\|SECCOMP_FILTER_FLAG_LOG, "
        r"<\d+ instructions>\)",
        str(step.calls[0]),
    )
    assert step.calls[0].manual == "seccomp(2)"


def test_without_flags_explain_says_0(tmp_path: Path) -> None:
    assert str(only_step(DEFAULT, tmp_path).calls[0]).startswith("seccomp(SECCOMP_SET_MODE_FILTER, 0, <")


@pytest.mark.parametrize(
    ("wanted", "kind", "message"),
    [
        (Seccomp(defaultAction="SCMP_ACT_ALLOW", flags=("LOG",)), InvalidInput, "'LOG'"),
        (
            Seccomp(defaultAction="SCMP_ACT_ALLOW", flags=("SECCOMP_FILTER_FLAG_NEW_LISTENER",)),
            InvalidInput,
            "NEW_LISTENER",
        ),
        (
            Seccomp(defaultAction="SCMP_ACT_ALLOW", flags=("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",)),
            Unsupported,
            "WAIT_KILLABLE_RECV",
        ),
        (Seccomp(defaultAction="SCMP_ACT_ALLOW", listenerPath="/run/agent"), Unsupported, "listenerPath"),
        (Seccomp(defaultAction="SCMP_ACT_ALLOW", profile="strict"), InvalidInput, "strict"),
        (
            Seccomp(defaultAction="SCMP_ACT_ALLOW", profile="default", architectures=("SCMP_ARCH_X86",)),
            InvalidInput,
            "both",
        ),
    ],
)
def test_nothing_is_accepted_and_ignored(
    wanted: Seccomp, kind: type[MinirunError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        list(syscall_filter.steps(spec(wanted), str(tmp_path)))


def test_a_profile_from_json(tmp_path: Path) -> None:
    raw = """{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_NATIVE"],
              "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW",
                            "args": [{"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}]}"""
    assert program(decode(raw, Seccomp, "profile.json"), tmp_path)


# -- the cache ------------------------------------------------------------------


def test_the_second_time_it_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = program(DEFAULT, tmp_path / "made")
    monkeypatch.setitem(sys.modules, "minirun.isolation.syscall_filter.compiler", None)  # cannot be imported
    assert program(DEFAULT, tmp_path / "made") == first


def test_what_differs_is_stored_apart(tmp_path: Path) -> None:
    makers: list[tuple[Seccomp, tuple[str, ...]]] = [
        (DEFAULT, ()),
        (DEFAULT, ("CAP_SYS_ADMIN",)),
        (DEFAULT, ("CAP_SYS_ADMIN", "CAP_SYS_TIME")),
        (WRITTEN_OUT, ()),
        (Seccomp(defaultAction="SCMP_ACT_LOG"), ()),
    ]
    programs = {program(wanted, tmp_path, held) for wanted, held in makers}
    assert len(programs) == len(os.listdir(tmp_path)) == len(makers)
    # Capabilities that the profile does not look at share a program, in whatever order they come.
    program(DEFAULT, tmp_path, ("CAP_SYS_TIME", "CAP_KILL", "CAP_SYS_ADMIN"))
    program(WRITTEN_OUT, tmp_path, ("CAP_SYS_ADMIN",))
    assert len(os.listdir(tmp_path)) == len(makers)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-8],
        lambda content: content[:-3],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: b"other   " + content[8:],
        lambda content: content + b"\0" * 8,
    ],
    ids=["empty", "short", "torn", "flipped bit", "other header", "long"],
)
def test_a_damaged_file_is_compiled_again(damage: object, tmp_path: Path) -> None:
    whole = program(DEFAULT, tmp_path)
    (stored,) = tmp_path.iterdir()
    good = stored.read_bytes()
    stored.write_bytes(damage(good))
    assert program(DEFAULT, tmp_path) == whole
    assert stored.read_bytes() == good


def test_another_profiles_file_is_not_taken(tmp_path: Path) -> None:
    cache.store(str(tmp_path), "one", b"12345678")
    os.rename(tmp_path / "one", tmp_path / "two")
    assert cache.load(str(tmp_path), "two") is None


def test_a_file_that_others_can_write_is_not_taken(tmp_path: Path) -> None:
    cache.store(str(tmp_path), "one", b"12345678")
    assert cache.load(str(tmp_path), "one") == b"12345678"
    os.chmod(tmp_path / "one", 0o666)
    assert cache.load(str(tmp_path), "one") is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    cache.store(str(tmp_path), "one", b"12345678")
    os.symlink("one", tmp_path / "two")
    assert cache.load(str(tmp_path), "two") is None


@pytest.mark.parametrize("where", ["/proc/no/such", "/dev/null/x"])
def test_a_cache_that_cannot_be_is_no_error(where: str) -> None:
    assert program(DEFAULT, Path(where))


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    cache.store(str(tmp_path), "name", b"12345678")
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory/full").mkdir()
    cache.store(str(tmp_path), "directory", b"12345678")  # rename(2) cannot replace a directory
    assert sorted(os.listdir(tmp_path)) == ["directory", "name"]


def test_a_cached_start_imports_next_to_nothing(tmp_path: Path) -> None:
    program(DEFAULT, tmp_path)
    script = (
        "import sys\n"
        "from minirun.spec import Linux, Process, Seccomp, Spec\n"
        "from minirun.isolation import syscall_filter\n"
        "wanted = Seccomp(defaultAction='SCMP_ACT_ERRNO', profile='default')\n"
        "spec = Spec(process=Process(args=('true',)), linux=Linux(seccomp=wanted))\n"
        f"assert list(syscall_filter.steps(spec, {str(tmp_path)!r}))\n"
        "print(*sorted(sys.modules))"
    )
    path = f"import sys; sys.path[:0] = {sys.path!r}\n"
    command = [sys.executable, "-I", "-S", "-c", path + script]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    package = "minirun.isolation.syscall_filter"
    assert {name for name in loaded if name.startswith(package)} == {package, f"{package}.cache"}
    assert not loaded & {
        "typing",
        "dataclasses",
        "re",
        "json",
        "hashlib",
        "pathlib",
        "subprocess",
        "tempfile",
    }


# -- the listing ----------------------------------------------------------------


def test_the_listing_names_what_is_asked() -> None:
    said = profile.default(("CAP_SYS_CHROOT",), "x86_64")
    text = listing(compile_profile(said, "x86_64"))
    lines = text.splitlines()
    assert len(lines) == len(compile_profile(said, "x86_64")) // 8
    assert "is it SCMP_ARCH_X86_64?" in lines[1]
    for words in ("is it clone3?", "ERRNO ENOSYS", "KILL_PROCESS", "argument 0, its upper 32 bits", "ALLOW"):
        assert words in text


def test_every_kind_of_instruction_is_listed() -> None:
    raw = """{"defaultAction": "SCMP_ACT_TRACE", "architectures": ["SCMP_ARCH_S390X"], "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4000,
         "args": [{"index": 2, "value": 61680, "valueTwo": 240, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["write"], "action": "SCMP_ACT_LOG",
         "args": [{"index": 1, "value": 5, "op": "SCMP_CMP_GT"}]}]}"""
    wanted = decode(raw, Seccomp, "profile.json")
    text = listing(compile_profile(wanted, "x86_64"))
    for words in ("and  0xf0f0", "only these bits", "is it above 0x5?", "ERRNO 4000", "TRACE 1", "LOG"):
        assert words in text


# -- linux/seccomp.py -----------------------------------------------------------


def test_the_constants_are_the_kernels() -> None:
    if not HEADER.exists():
        pytest.skip(f"this machine lacks: {HEADER}")
    text = HEADER.read_text()
    flags = re.findall(r"#define SECCOMP_FILTER_FLAG_(\w+)\s+\(1UL << (\d+)\)", text)
    assert {name: 1 << int(bit) for name, bit in flags} == {flag.name: flag.value for flag in SeccompFlag}
    returns = re.findall(r"#define SECCOMP_RET_(\w+)\s+(0x[0-9a-f]{8})U /\*", text)
    said = {name: int(value, 16) for name, value in returns if name != "KILL"}
    assert said == {name: answer.value for name, answer in SeccompReturn.__members__.items()}
    operations = dict(re.findall(r"#define (SECCOMP_(?:SET|GET)_\w+)\s+(\d)", text))
    assert int(operations["SECCOMP_SET_MODE_FILTER"]) == seccomp.SECCOMP_SET_MODE_FILTER
    assert int(operations["SECCOMP_GET_ACTION_AVAIL"]) == seccomp.SECCOMP_GET_ACTION_AVAIL


def test_the_kernel_is_asked_for_its_actions() -> None:
    try:
        available = Path("/proc/sys/kernel/seccomp/actions_avail").read_text().split()
    except OSError:
        pytest.skip("this machine lacks: /proc/sys/kernel/seccomp/actions_avail")
    assert {name for name in SeccompReturn.__members__ if seccomp.action_available(name)} == {
        name.upper() for name in available
    }


def test_a_broken_program_is_the_kernels_to_refuse() -> None:
    with pytest.raises(OSError) as caught:
        seccomp.install(b"\xff" * 8, SeccompFlag(0))
    assert caught.value.errno in (errno.EINVAL, errno.EACCES)
