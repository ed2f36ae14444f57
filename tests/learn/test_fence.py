"""What a learner's program does inside the fence stays inside, and ends with it.

The autouse look for leaks (tests/conftest.py) has its eye on mounts, cgroups and
processes; here the program does its worst first.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minirun.learn.attempt import Attempt, Wrong
from minirun.learn.fence import Fence
from minirun.learn.looking import Process
from tests import leaks
from tests.conftest import Minirun
from tests.needs import needs

pytestmark = needs("root", "memory", "pids")


def program(place: Path, text: str) -> Path:
    """A learner's program."""
    file = place / "program.py"
    file.write_text(f"import ctypes, os, signal, subprocess, sys, time\n{text}\n")
    return file


def links() -> set[str]:
    """The machine's network interfaces."""
    return {name for _, name in socket.if_nameindex()}


def test_a_fork_bomb_meets_its_limit_and_ends(tmp_path: Path, lesson_rootfs: Path) -> None:
    """It forks until the group is full, and is gone with the attempt."""
    bomb = program(
        tmp_path,
        "while True:\n"
        "    try:\n"
        "        os.fork()\n"
        "    except OSError as error:\n"
        "        print(error.errno, flush=True)\n"
        "        time.sleep(60)",
    )
    with Attempt(bomb, lesson_rootfs) as attempt:
        with attempt.started() as process:
            attempt.until(lambda: "11" in attempt.out(), "never", seconds=60)  # EAGAIN: pids.max
            assert 200 < len(attempt.fence.processes()) <= 256
        assert attempt.fence.processes() == {}
    assert not process.exists()


@pytest.mark.bed
def test_memory_has_an_end(tmp_path: Path, lesson_rootfs: Path) -> None:
    """A program that eats memory is killed by the kernel, at the group's limit."""
    hungry = program(tmp_path, "held = []\nwhile True:\n    held.append(bytearray(b'x') * (64 << 20))")
    with Attempt(hungry, lesson_rootfs) as attempt:
        assert attempt.run(timeout=60).code == 128 + signal.SIGKILL


def test_who_never_ends_and_hides_is_found(tmp_path: Path, lesson_rootfs: Path) -> None:
    """Deaf to signals, forked away, in a session of its own, out of the group: all the same it ends."""
    deaf = program(
        tmp_path,
        "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        for line in open('/proc/self/mountinfo'):\n"
        "            point, kind = line.split()[4], line.partition(' - ')[2].split()[0]\n"
        "            if kind.startswith('cgroup'):\n"
        "                open(f'{point}/cgroup.procs', 'w').write('0')\n"
        "        print('away', flush=True)\n"
        "        time.sleep(1000)\n"
        "time.sleep(1000)",
    )
    with Attempt(deaf, lesson_rootfs) as attempt:
        with pytest.raises(Wrong) as wrong:
            attempt.run(timeout=1.0)
        assert wrong.value.key == "too-long"
        with attempt.started():
            attempt.until(lambda: "away" in attempt.out(), "never")
            assert len(attempt.fence.processes()) == 3
        assert attempt.fence.processes() == {}


@pytest.mark.bed
def test_mounts_links_and_names_are_a_copys(tmp_path: Path, lesson_rootfs: Path) -> None:
    """What a program does to the machine it does to the fence; and left_behind tells of it."""
    name = os.uname().nodename
    busy = program(
        tmp_path,
        "libc = ctypes.CDLL(None)\n"
        "libc.mount(b'none', b'/mnt', b'tmpfs', 0, None)\n"
        "libc.sethostname(b'vandal', 6)\n"
        "subprocess.run(['ip', 'link', 'add', 'learn0', 'type', 'veth', 'peer', 'learn1'], check=True)\n"
        "for line in open('/proc/self/mountinfo'):\n"
        "    point, tail = line.split()[4], line.partition(' - ')[2]\n"
        "    if tail.startswith('cgroup') and 'pids' in tail.split()[-1] or tail.startswith('cgroup2'):\n"
        "        os.makedirs(f'{point}/minirun/learn-{os.getpid()}')\n"
        "if os.fork() == 0:\n"
        "    time.sleep(1000)",
    )
    with Attempt(busy, lesson_rootfs) as attempt:
        assert attempt.run().err == ""
        left = attempt.left_behind(seconds=0)
        assert left.mounts == ("/mnt (tmpfs)",)
        assert set(left.links) == {"learn0", "learn1"}
        assert any("/minirun/learn-" in group for group in left.cgroups)
        assert len(left.processes) == 1
        assert "program" in left.processes[0] or "python" in left.processes[0]
        assert attempt.host.hostname() == "vandal"
    assert os.uname().nodename == name
    assert not links() & {"learn0", "learn1"}


def test_the_machines_files_are_read_only(tmp_path: Path, lesson_rootfs: Path) -> None:
    """Who forgets a pivot_root and removes all does not remove all; the working directory is their own."""
    precious = Path("/var/lib/minirun-learn-precious")
    wild = program(
        tmp_path,
        "for place in ('rootfs/own', '/tmp/.minirun-learn-own', '/run/.minirun-learn-own', "
        f"'{precious}'):\n"
        "    try:\n"
        "        open(place, 'w').close(); os.unlink(place); print('written')\n"
        "    except OSError as error:\n"
        "        print(error.strerror)",
    )
    with Attempt(wild, lesson_rootfs) as attempt:
        assert attempt.run().out.splitlines() == ["written"] * 3 + ["Read-only file system"]
    assert os.access("/var/lib", os.W_OK)
    assert not precious.exists()


def test_a_clean_program_leaves_nothing(tmp_path: Path, lesson_rootfs: Path) -> None:
    """left_behind is false when there is nothing."""
    with Attempt(program(tmp_path, "print('done')"), lesson_rootfs) as attempt:
        assert attempt.run().out == "done\n"
        assert not attempt.left_behind()


def test_a_killed_checker_is_swept_up_after(tmp_path: Path, lesson_rootfs: Path, minirun: Minirun) -> None:
    """Its groups are found by their name, and what lives in them is ended."""
    text = (
        "import sys\n"
        "from pathlib import Path\n"
        "from minirun.learn.attempt import Attempt\n"
        "with Attempt(Path(sys.argv[1]), Path(sys.argv[2])) as attempt, attempt.started() as process:\n"
        "    attempt.until(lambda: attempt.out(), 'never')\n"
        "    print(attempt.out().strip(), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    child = program(
        tmp_path,
        "pid = os.fork()\nif pid:\n    print(pid, flush=True)\ntime.sleep(1000)",
    )
    checker = subprocess.Popen(
        [sys.executable, "-c", text, child, lesson_rootfs],
        env=minirun.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert checker.stdin and checker.stdout
    with checker.stdin, checker.stdout:
        grandchild = Process(int(checker.stdout.readline()))
        checker.kill()
        checker.wait()
    assert grandchild.exists()
    with Fence():
        pass
    assert leaks.wait_for(lambda: {"it"} if grandchild.exists() else set()) == set()


def test_a_fence_needs_nobody_inside(lesson_rootfs: Path) -> None:
    """It is quick to put up, and what was there before is not touched."""
    bystander = subprocess.Popen(["sleep", "1000"])
    start = time.monotonic()
    with Fence() as fence:
        assert fence.processes() == {}
        assert fence.host.namespace("net") != Process(os.getpid()).namespace("net")
    assert time.monotonic() - start < 5
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
