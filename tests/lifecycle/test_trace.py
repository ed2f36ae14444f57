"""``run --trace`` and ``explain`` against strace: what they tell is what happens, all of it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minirun.cli import run_line
from minirun.isolation.syscall_filter.compiler import compile_profile
from minirun.isolation.syscall_filter.profile import default
from minirun.linux import trial
from tests.conftest import Minirun
from tests.lifecycle import attempts, strace
from tests.lifecycle.strace import Seen
from tests.needs import needs

pytestmark = [pytest.mark.bed, pytest.mark.slow]

SETS: dict[str, list[str]] = {
    "default": [],
    "nobody": ["-u", "nobody", "--umask", "077", "--ulimit", "nofile=128:256", "--oom-score-adj", "500"],
    "limits": [
        *["-m", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512"],
        *["--pids-limit", "50", "--cpuset-cpus", "0", "--blkio-weight", "100"],
    ],
    "userns": ["--userns", "private", "--hostname", "inside", "--domainname", "example"],
    "terminal": ["-t"],
    "privileged": ["--privileged", "--network", "host"],
    "new-privileges": ["--security-opt", "no-new-privileges=false", "--cap-drop", "ALL"],
    "files": [
        *["--read-only", "--tmpfs", "/scratch:size=1m", "-v", "/usr:/mnt/usr:ro", "-v", "/etc:/x:rslave"],
        *["-v", "named-volume:/data", "--device", "/dev/loop-control:/dev/loops", "-w", "/new/directory"],
    ],
    "system": [
        *["--init", "--sysctl", "kernel.shm_rmid_forced=1", "--sysctl", "net.ipv4.ip_forward=1"],
        *["--time-offset", "1h", "--shm-size", "1m", "--security-opt", "mask=/proc/uptime"],
    ],
    "hosts": ["--ipc", "host", "--uts", "host", "--pid", "host", "--cgroupns", "host", "--network", "host"],
    "users": ["--userns", "container:other"],
    "shared": ["--pid", "container:other", "--ipc", "container:other", "--network", "container:other"],
}


@pytest.fixture
def shared() -> Iterator[None]:
    """What is told twice, and the same both times, is told with the same groups there."""
    with attempts.shared_groups():
        yield


@needs("root", "strace", "overlay")
@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("flags", SETS.values(), ids=SETS.keys())
def test_the_trace_is_what_strace_sees(minirun: Minirun, tmp_path: Path, flags: list[str]) -> None:
    if "container:other" in flags:
        users = "private" if "--userns" in flags else "host"
        other = ["--name", "other", "--network", "none", "--ipc", "shareable", "--userns", users]
        minirun("run", "-d", *other, "busybox", "sleep", "1000", check=True)
    network = [] if "--network" in flags else ["--network", "none"]
    words = [*network, *flags, "busybox", "true"]
    told = _traced(minirun, tmp_path, "run", "--rm", *words)
    seen, monitor, _ = _at_execve(strace.of_strace(tmp_path / f"st.{_host_side(tmp_path)}"))
    assert strace.of_trace(told, "host") == seen
    assert str(monitor.what[0]).endswith("/monitor")  # the walk is over: nothing of the plan
    seen, program, _ = _at_execve(strace.of_strace(tmp_path / f"st.{_first_process(told)}"))
    assert strace.of_trace(told, "init") == [*seen, program]
    _compare_with_explain(minirun, told, [*words[:-2], "--rm", *words[-2:]])


@needs("root", "strace", "overlay")
@pytest.mark.parametrize("userns", ["host", "private"])
def test_the_trace_of_an_exec(minirun: Minirun, tmp_path: Path, userns: str) -> None:
    minirun(
        *["run", "-d", "--network", "none", "--userns", userns, "--name", "it", "busybox", "sleep", "1000"],
        check=True,
    )
    told = _traced(minirun, tmp_path, "exec", "-u", "nobody", "it", "true")
    seen, program, _ = _at_execve(strace.of_strace(tmp_path / f"st.{_first_process(told)}"))
    assert strace.of_trace(told, "init") == [*seen, program]
    command = min(tmp_path.glob("st.*"), key=lambda path: int(path.suffix[1:]))
    names = {"clone3", "setns", "fork", "clone", "mount"}
    host = [each for each in strace.of_strace(command) if each.name in names]
    assert strace.of_trace(told, "host") == host


@needs("root", "overlay")
def test_a_call_that_fails_is_told_with_its_errno(minirun: Minirun) -> None:
    done = minirun("run", "--rm", "--network", "none", "--trace", "--tmpfs", "/x:size=no", "busybox", "true")
    assert done.returncode == 125
    last = [line for line in done.stderr.splitlines() if " init " in line][-1]
    assert re.fullmatch(r" *\d+ init +\d+ us  mount\(.*\) = -1 EINVAL \(Invalid argument\).*", last)


@needs("root", "overlay")
def test_a_reader_who_leaves_changes_nothing(minirun: Minirun) -> None:
    """SIGPIPE or EPIPE from the trace would end the start in its middle."""
    reading, writing = os.pipe()
    words = ["run", "-d", "--network", "none", "--trace", "--name", "unread", "busybox", "sleep", "1000"]
    command = minirun.popen(*words, stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    os.close(reading)
    assert command.wait(60) == 0
    assert minirun("exec", "unread", "true").returncode == 0


@needs("root", "overlay")
def test_long_lines_of_two_processes_do_not_mix(minirun: Minirun) -> None:
    """A line longer than PIPE_BUF is not atomic by itself; here every execve has one."""
    long = "x" * 20000
    words = ["run", "--rm", "--network", "none", "--trace=json", "busybox", "true", long]
    told = minirun(*words, check=True).stderr.splitlines()
    assert [json.loads(line)["number"] for line in told]
    assert long in json.loads(told[-1])["call"]


@needs("root", "overlay")
def test_a_terminal_gets_lines_that_fit(minirun: Minirun) -> None:
    master, slave = os.openpty()
    os.set_inheritable(slave, True)
    termios.tcsetwinsize(slave, (24, 90))
    words = ["run", "--rm", "--network", "none", "--trace", "busybox", "true"]
    done = minirun.popen(*words, stderr=slave, stdin=subprocess.DEVNULL)
    os.close(slave)
    told = b""
    with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
        while part := os.read(master, 65536):
            told += part
    os.close(master)
    assert done.wait(60) == 0
    lines = told.decode().replace("\r", "").splitlines()
    assert len(lines) > 50
    assert max(map(len, lines)) <= 90
    assert any(line.endswith("… = 0") for line in lines)


@needs("root")
@pytest.mark.usefixtures("shared")
def test_explain_needs_no_root(minirun: Minirun) -> None:
    """By a user who may read the store, as it is when minirun makes it."""
    flags = ["-m", "64m", "--userns", "private", "-v", "data:/data", "--pids-limit", "9", "--network", "none"]
    words = ["--root", str(minirun.root), "--state", str(minirun.state), "explain", *flags, "busybox", "sh"]

    def explained() -> list[object]:
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            # Modules may be out of a plain user's reach; who cannot read the store's filter makes one.
            compile_profile(default(()))
            code = run_line(words)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            first = text.getvalue()
            code |= run_line(words)
        return [code, first * 2 == text.getvalue(), len(first.splitlines())]

    code, same, lines = trial.in_child(explained)
    assert (code, same) == (0, True)
    assert lines > 200


def _traced(minirun: Minirun, directory: Path, command: str, *words: str) -> str:
    """What ``--trace=json`` says; strace's files are st.PID in ``directory``."""
    names = ",".join(sorted(strace.WATCHED | strace.OPENING))
    watch = ["strace", "-ff", "-y", "-s", "8192", "-o", str(directory / "st"), "-e", f"trace={names}"]
    done = subprocess.run(
        [*watch, *minirun.command(command, "--trace=json", *words)],
        capture_output=True,
        text=True,
        timeout=60,
        env=minirun.environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (directory / "told").write_text(done.stderr)
    return done.stderr


def _at_execve(seen: list[Seen]) -> tuple[list[Seen], Seen, list[Seen]]:
    """What a process did, the program it became, and what that did."""
    at = next(number for number, each in enumerate(seen) if each.name == "execve")
    return seen[:at], seen[at], seen[at + 1 :]


def _host_side(directory: Path) -> int:
    """The process that strace saw take the name of the host side."""
    for path in directory.glob("st.*"):
        if 'prctl(PR_SET_NAME, "minirun:[host]")' in path.read_text(errors="replace"):
            return int(path.suffix[1:])
    raise AssertionError("no host side")


def _first_process(told: str) -> int:
    """The pid that clone3 gave."""
    (pid,) = [line["result"] for line in _lines(told) if line["syscall"] == "clone3"]
    return int(pid)


def _lines(told: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.splitlines() if line.startswith('{"number"')]


def _compare_with_explain(minirun: Minirun, told: str, words: list[str]) -> None:
    """explain lists the same calls, with <names> and ID where the trace has what came out."""
    plan = json.loads(minirun("explain", "--json", *words, check=True).stdout)
    lines = _lines(told)
    program = lines[-1]["call"].split('"')[1]
    for side in ("host", "init"):
        planned = [
            (step["number"], step["step"], call["name"], call["call"].replace("<program>", program))
            for step in plan
            if step["side"] == side
            for call in step["calls"]
        ]
        assert planned == [
            (line["number"], _open(line["step"], told), line["syscall"], _open(line["call"], told))
            for line in lines
            if line["side"] == side
        ]


def _open(text: str, told: str) -> str:
    """``text`` with what is drawn at each start left open again: the id, descriptors, the pid."""
    (id,) = set(re.findall(r"/containers/([0-9a-f]{64})/rootfs", told))
    text = text.replace(id, "ID").replace(f'"{id[:12]}"', f'"{"0" * 12}"')
    return re.sub(r"\d+<", "<", text).replace(f"/proc/{_first_process(told)}/", "/proc/<init>/")
