"""The scripts of the tutorial's chapters: what they promise to the outside, all of them alike.

What a chapter teaches is looked at by its own sessions and exercises, its size by test_chapters.py;
here it is the contract of the series: exit codes as a shell has them, and nothing left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.leaks import wait_for
from tests.needs import missing, needs

TUTORIALS = REPOSITORY / "tutorials"
NEEDS = {
    "05": ["memory", "pids"],
    "06": ["overlay"],
    "07": ["seccomp"],
    "08": ["ip", "nft", "nsenter"],
    "16": ["userns"],
}
RUNTIMES = [
    pytest.param(TUTORIALS / name / "runtime.py", id=name, marks=needs("root", *NEEDS.get(name[:2], [])))
    for name in (
        "03-pivot-root",
        "04-namespaces",
        "05-cgroups",
        "06-layers",
        "07-privileges",
        "08-network",
        "09-pid-1",
        "10-runtime",
        "16-what-was-not-told",
    )
]
LIMITS = {"05-cgroups": ["--memory", "64M", "--pids", "20"]}


@pytest.fixture(scope="module")
def rootfs(busybox_rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: some of the runtimes write into it."""
    place = tmp_path_factory.mktemp("series") / "rootfs"
    shutil.copytree(busybox_rootfs, place, symlinks=True)
    return place


def words(runtime: Path, rootfs: Path, *command: str) -> list[str]:
    limits = LIMITS.get(runtime.parent.name, [])
    return [sys.executable, "-B", str(runtime), "run", *limits, str(rootfs), *command]


def run(runtime: Path, rootfs: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(runtime, rootfs, *command), capture_output=True, text=True, timeout=30, check=False, **more
    )


def traces() -> set[str]:
    """Whatever a script of the series makes on the host."""
    places = ("/sys/fs/cgroup/**/minirun/learn-*", "/sys/class/net/learn[0-9]*", "/sys/class/net/pod[0-9]*")
    found = {str(path) for place in places for path in Path("/").glob(place[1:])}
    found |= {str(path) for path in Path("/tmp").glob("minirun-learn-[0-9]*-*")}
    found |= {str(path) for path in Path("/run/minirun-learn").glob("*")}
    if not missing("nft"):
        listing = subprocess.run(
            ["nft", "list", "tables"], capture_output=True, text=True, check=False
        ).stdout
        found |= {line for line in listing.splitlines() if line.startswith("table ip learn")}
    return found


def inside(rootfs: Path) -> set[str]:
    """Processes that have ``rootfs`` mounted, or in their words."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "mountinfo").read_text() + (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if str(rootfs) in known and int(process.name) != os.getpid():
            found.add(process.name)
    return found


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_exit_codes_are_those_of_a_shell(runtime: Path, rootfs: Path) -> None:
    before = traces()

    done = run(runtime, rootfs, "sh", "-c", "cat; echo err >&2; exit 7", input="hello")

    assert (done.returncode, done.stdout, done.stderr) == (7, "hello", "err\n")
    assert run(runtime, rootfs, "nosuch").returncode == 127
    assert run(runtime, rootfs, "/etc/passwd").returncode == 126
    assert wait_for(lambda: traces() - before) == set()
    assert str(rootfs) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_who_is_killed_leaves_nothing_behind(runtime: Path, rootfs: Path) -> None:
    before = traces()
    command = words(runtime, rootfs, "sh", "-c", "echo up; sleep 1000; true")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        # Chapter 03 has no PID namespace: whom the program has left behind is its own affair.
        if runtime.parent.name == "03-pivot-root":
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait(20)

    assert code in (-signal.SIGTERM, -signal.SIGKILL, 128 + signal.SIGTERM, 128 + signal.SIGKILL)
    assert wait_for(lambda: traces() - before) == set()
    assert wait_for(lambda: inside(rootfs)) == set()


@needs("root", "ip", "nsenter")
def test_a_pod_starts_again_who_crashed_and_ends_with_pause(rootfs: Path) -> None:
    before = traces()
    pod = [sys.executable, "-B", str(TUTORIALS / "11-pod" / "pod.py"), "run", str(rootfs)]
    member = "ip -4 address show eth0 | grep inet; read line; exit 3"
    with subprocess.Popen(
        [*pod, "--", "sh", "-c", member],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        pause = process.stderr.readline().split()[3].strip(",")
        first = process.stdout.readline()
        process.stdin.write("x")
        process.stdin.write("\n")
        process.stdin.flush()
        again = process.stdout.readline()
        os.kill(int(pause), signal.SIGKILL)
        code = process.wait(20)

    assert first == again
    assert "inet 10." in first
    assert code == 1
    assert wait_for(lambda: traces() - before) == set()
    assert wait_for(lambda: inside(rootfs)) == set()


@needs("root")
def test_a_sandbox_shares_what_its_containers_join(rootfs: Path) -> None:
    before = traces()
    script = TUTORIALS / "14-cri" / "conversation.py"

    done = subprocess.run(
        [sys.executable, "-B", script, rootfs], capture_output=True, text=True, timeout=60, check=True
    )

    last = [line.split() for line in done.stdout.splitlines()[-3:]]
    assert len({tuple(line[1:4]) for line in last}) == 1
    assert len({line[4] for line in last}) == 3
    assert wait_for(lambda: traces() - before) == set()
