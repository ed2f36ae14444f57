"""``run --trace`` and ``explain`` against strace: what they tell is what happens, all of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import strace
from tests.needs import needs

#: What is told and not done to the kernel's state, so that strace is not asked for it.
LOOKS = frozenset("open openat2 statfs stat read capget rt_sigaction umask copy_file_range".split())

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
    "new-privileges": ["--security-opt", "no-new-privileges=false", "--cap-drop", "ALL", "--cap-add", "chown"],
    "files": [
        *["--read-only", "--tmpfs", "/scratch:size=1m", "-v", "/usr:/mnt/usr:ro", "-v", "/etc:/mnt/etc:rslave"],
        *["-v", "named-volume:/data", "--device", "/dev/loop-control:/dev/loops", "-w", "/new/directory"],
    ],
    "system": [
        *["--init", "--sysctl", "kernel.shm_rmid_forced=1", "--sysctl", "net.ipv4.ip_forward=1"],
        *["--time-offset", "1h", "--shm-size", "1m", "--security-opt", "mask=/proc/uptime"],
    ],
    "hosts": ["--ipc", "host", "--uts", "host", "--pid", "host", "--cgroupns", "host", "--network", "host"],
    "shared": ["--pid", "container:other", "--ipc", "container:other", "--network", "container:other"],
}


@needs("root", "strace", "overlay")
@pytest.mark.parametrize("flags", SETS.values(), ids=SETS.keys())
def test_the_trace_is_what_strace_sees(minirun: Minirun, tmp_path: Path, flags: list[str]) -> None:
    if "container:other" in flags:
        minirun("run", "-d", "--network", "none", "--ipc", "shareable", "--name", "other", "busybox", "cat", check=True)
    network = [] if "--network" in flags else ["--network", "none"]
    words = [*network, *flags, "busybox", "true"]
    told = _traced(minirun, tmp_path, "run", "--rm", *words)
    for side, process in (("host", _host_side(tmp_path)), ("init", _first_process(told))):
        seen = strace.of_strace(tmp_path / f"st.{process}")
        if side == "host":
            # The monitor is what the host side becomes when the walk is over: nothing of the plan.
            assert seen.pop().what[0].endswith("/native/monitor"), seen  # type: ignore[attr-defined]
        assert strace.of_trace(told, side) == seen
    _compare_with_explain(minirun, told, [*words[:-2], "--rm", *words[-2:]])


@needs("root", "strace", "overlay")
@pytest.mark.parametrize("userns", ["host", "private"])
def test_the_trace_of_an_exec(minirun: Minirun, tmp_path: Path, userns: str) -> None:
    minirun(
        *["run", "-d", "--network", "none", "--userns", userns, "--name", "it", "busybox", "sleep", "1000"],
        check=True,
    )
    told = _traced(minirun, tmp_path, "exec", "-u", "nobody", "it", "true")
    seen = strace.of_strace(tmp_path / f"st.{_first_process(told)}")
    assert strace.of_trace(told, "init") == seen
    command = min(tmp_path.glob("st.*"), key=lambda path: int(path.suffix[1:]))
    names = {"clone3", "setns", "fork", "clone", "mount"}
    host = [each for each in strace.of_strace(command) if each.name in names]
    assert strace.of_trace(told, "host") == host


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
    return done.stderr


def _host_side(directory: Path) -> int:
    """The process that strace saw take the name of the host side."""
    for path in directory.glob("st.*"):
        if 'prctl(PR_SET_NAME, "minirun:[host]")' in path.read_text(errors="replace"):
            return int(path.suffix[1:])
    raise AssertionError("no host side")


def _first_process(told: str) -> int:
    """The pid that clone3 gave."""
    lines = [json.loads(line) for line in told.splitlines() if line.startswith('{"number"')]
    (pid,) = [line["result"] for line in lines if line["syscall"] == "clone3"]
    return int(pid)


def _compare_with_explain(minirun: Minirun, told: str, words: list[str]) -> None:
    """explain lists the same steps and calls, with <names> where the trace has what came out."""
    plan = json.loads(minirun("explain", "--json", *words, check=True).stdout)
    lines = [json.loads(line) for line in told.splitlines() if line.startswith('{"number"')]
    for side in ("host", "init"):
        planned = [
            (step["number"], step["step"], call["name"], call["call"])
            for step in plan
            if step["side"] == side
            for call in step["calls"]
        ]
        happened = [line for line in lines if line["side"] == side]
        assert len(planned) == len(happened)
        for (number, title, name, call), line in zip(planned, happened, strict=True):
            assert (number, name) == (line["number"], line["syscall"])
            for expected, found in ((title, line["step"]), (call, line["call"])):
                assert re.fullmatch(_pattern(expected), found), (expected, found)


def _pattern(text: str) -> str:
    """``text`` with what is drawn at each start left open: the id, descriptors, pids, host names."""
    pattern = re.escape(text).replace("ID", "[0-9a-f]{64}").replace("0{12}", "[0-9a-f]{12}")
    pattern = re.sub(r"<([\w ]+)>(?=/|,|\\\)|\")", r"(\\d+<\1>|<\1>|[^,]*)", pattern.replace(r"\ ", " "))
    return pattern.replace("000000000000", "[0-9a-f]{12}")
