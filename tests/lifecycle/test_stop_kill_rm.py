"""stop, kill, rm, pause: how containers end, and what is left of them then."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from minirun.container import kill
from minirun.container.state import Store
from minirun.linux import process
from tests.conftest import Minirun
from tests.lifecycle import proc, shell
from tests.needs import needs
from tests.patience import until

pytestmark = [needs("root", "overlay"), pytest.mark.bed, pytest.mark.slow]

#: Ends with a code of its own at each of these signals.
SCRIPT = (
    "trap 'exit 3' TERM; trap 'exit 4' HUP; trap 'exit 5' USR1; trap 'exit 6' INT; "
    "echo ready; while :; do sleep 0.05; done"
)


def _start(minirun: Minirun, *flags: str, script: str = SCRIPT) -> None:
    """A container ``box`` whose program has set its traps."""
    words = ["-d", "--network", "none", "--name", "box", *flags, "busybox", "sh", "-c", script]
    minirun("run", *words, check=True)
    until("it is ready", lambda: minirun("logs", "box").stdout == "ready\n")


@pytest.mark.parametrize(
    ("flags", "stop", "code"),
    [
        ([], [], 3),
        (["--stop-signal", "SIGHUP"], [], 4),
        (["--stop-signal", "10"], [], 5),
        (["--stop-signal", "HUP"], ["-s", "INT"], 6),
        (["--stop-signal", "WINCH", "--stop-timeout", "0"], [], 137),
        (["--stop-signal", "WINCH"], ["-t", "0"], 137),
    ],
)
def test_stop(minirun: Minirun, flags: list[str], stop: list[str], code: int) -> None:
    _start(minirun, *flags)
    done = minirun("stop", *stop, "box")
    assert (done.returncode, done.stdout, done.stderr) == (0, "box\n", "")
    assert shell.state(minirun, "box") == "stopped"
    assert minirun("wait", "box").stdout == f"{code}\n"
    assert minirun("stop", "box").stdout == "box\n"  # it has ended: nothing to do


def test_stop_waits_before_it_kills(minirun: Minirun) -> None:
    _start(minirun, script="trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done")
    began = time.monotonic()
    minirun("stop", "-t", "1", "box", check=True)
    assert 1.0 <= time.monotonic() - began < 8.0
    assert minirun("wait", "box").stdout == "137\n"
    assert minirun("logs", "box").stdout == "ready\nasked\n"


def test_the_image_knows_its_stop_signal(minirun: Minirun, tmp_path: Path, busybox_rootfs: Path) -> None:
    archive = tmp_path / "rootfs.tar"
    assert os.system(f"tar -C {busybox_rootfs} -cf {archive} .") == 0
    minirun("import", "-c", "STOPSIGNAL SIGUSR1", "-c", 'CMD ["true"]', str(archive), "asking:1", check=True)
    try:
        words = ["-d", "--network", "none", "--name", "box", "asking:1", "sh", "-c", SCRIPT]
        minirun("run", *words, check=True)
        until("it is ready", lambda: minirun("logs", "box").stdout == "ready\n")
        minirun("stop", "box", check=True)
        assert minirun("wait", "box").stdout == "5\n"
    finally:
        minirun("rm", "-f", "box")
        minirun("rmi", "asking:1", check=True)


def test_stop_of_what_does_not_run(minirun: Minirun) -> None:
    minirun("create", "--network", "none", "--name", "box", "busybox", "true", check=True)
    assert minirun("stop", "box", timeout=8).returncode == 0
    assert shell.state(minirun, "box") == "created"
    several = minirun("stop", "nobody", "box")
    assert (several.returncode, several.stdout) == (125, "box\n")


@pytest.mark.parametrize(
    ("signal", "code"), [("HUP", 4), ("SIGUSR1", 5), ("2", 6), ("sigterm", 3), (None, 137), ("KILL", 137)]
)
def test_kill(minirun: Minirun, signal: str | None, code: int) -> None:
    _start(minirun)
    done = minirun("kill", *(["-s", signal] if signal else []), "box")
    assert (done.returncode, done.stdout) == (0, "box\n")
    assert minirun("wait", "box").stdout == f"{code}\n"
    again = minirun("kill", "box")
    assert again.returncode == 125
    assert again.stderr.startswith("minirun: cannot kill container box\n  why: it is stopped")


def test_who_is_killed_may_be_gone_at_once(minirun: Minirun, monkeypatch: pytest.MonkeyPatch) -> None:
    """--rm: its monitor may have removed it before the command that has sent the signal looks again."""
    proc.start(minirun, "box", "--rm")
    home = Store(root=str(minirun.root), state=str(minirun.state)).find("box")
    send = process.pidfd_send_signal

    def slowly(pidfd: int, number: int) -> None:
        send(pidfd, number)
        until("it is gone", lambda: not os.path.exists(home.data))

    monkeypatch.setattr(process, "pidfd_send_signal", slowly)
    kill.kill(home, 9)


@pytest.mark.parametrize("signal", ["NOPE", "0", "65", "", "TERM+1", "-9"])
def test_a_signal_that_does_not_exist(minirun: Minirun, signal: str) -> None:
    proc.start(minirun, "box")
    for words in (["kill", f"--signal={signal}", "box"], ["stop", f"--signal={signal}", "box"]):
        done = minirun(*words)
        assert done.returncode == 125
        assert done.stderr.startswith(f"minirun: --signal {signal!r} is not understood\n  why: ")
    assert shell.state(minirun, "box") == "running"


def test_all_of_a_container_dies_with_its_first_process(minirun: Minirun) -> None:
    """Also where no PID namespace sees to it."""
    words = ["--pid", "host", "--init"]
    _start(minirun, *words, script="sleep 1000 & (sleep 1000 & sleep 1000) & echo ready; wait")
    groups = proc.groups(proc.pid_of(minirun, "box"))
    group = groups.get("pids") or groups[""]  # v1 or v2
    members = Path(group, "cgroup.procs").read_text().split()
    assert len(members) >= 4
    minirun("kill", "box", check=True)
    assert minirun("wait", "box").stdout == "137\n"
    until("all of them are gone", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in members))
    assert not os.path.exists(group)


def test_rm(minirun: Minirun) -> None:
    before = shell.volumes(minirun)
    _start(minirun, "-v", "/data")
    done = minirun("rm", "box")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == (
        "minirun: cannot remove container box\n  why: it is running\n"
        "  try: minirun stop box first, or use --force\n"
    )
    minirun("pause", "box", check=True)
    assert "why: it is paused" in minirun("rm", "box").stderr
    assert minirun("rm", "-f", "box").stdout == "box\n"
    assert shell.ids(minirun) == []
    for place in (minirun.root, minirun.state):
        assert os.listdir(place / "containers") == []
    (left,) = shell.volumes(minirun) - before  # without -v it stays, as docker's
    minirun("volume", "rm", left, check=True)


def test_rm_of_several(minirun: Minirun) -> None:
    before = shell.volumes(minirun)
    minirun("create", "--network", "none", "--name", "made", "busybox", "true", check=True)
    minirun("run", "--network", "none", "--name", "ended", "-v", "/data", "busybox", "true", check=True)
    minirun("run", "-d", "--rm", "--network", "none", "--name", "box", "busybox", "sleep", "1000", check=True)
    done = minirun("rm", "-v", "made", "nobody", "ended", "box")
    assert (done.returncode, done.stdout) == (125, "made\nended\n")
    forced = minirun("rm", "-f", "nobody", "box", timeout=20)
    assert (forced.returncode, forced.stdout, forced.stderr) == (0, "box\n", "")
    assert shell.ids(minirun) == []
    assert shell.volumes(minirun) == before


def test_rm_of_a_container_whose_command_is_suspended(minirun: Minirun) -> None:
    """`run --rm` does the removal itself; while it stands still, somebody else may."""
    import signal

    process = shell.foreground(minirun, "--rm", "--name", "box", "busybox", "sh", "-c", "echo up; sleep 1000")
    assert shell.line(process) == "up"
    process.send_signal(signal.SIGSTOP)
    assert minirun("rm", "-f", "box", timeout=20).stdout == "box\n"
    assert shell.ids(minirun) == []
    process.send_signal(signal.SIGCONT)
    assert shell.end(process) == 137


def test_pause_and_unpause(minirun: Minirun) -> None:
    _start(minirun, script="echo ready; trap 'exit 3' TERM; while :; do echo x >> /ticks; sleep 0.02; done")
    pid = proc.pid_of(minirun, "box")
    ticks = Path(minirun("inspect", "-f", "{{.filesystem.upperdir}}", "box").stdout.strip(), "ticks")
    until("it ticks", ticks.exists)
    assert minirun("pause", "box").stdout == "box\n"
    assert shell.state(minirun, "box") == "paused"
    size = ticks.stat().st_size
    assert minirun("pause", "box").returncode == 125
    time.sleep(0.1)  # five ticks of its clock
    assert ticks.stat().st_size == size
    assert minirun("unpause", "box").stdout == "box\n"
    until("it ticks again", lambda: ticks.stat().st_size > size)
    again = minirun("unpause", "box")
    assert (again.returncode, again.stderr.splitlines()[1]) == (125, "  why: it is running, not paused")
    minirun("pause", "box", check=True)
    minirun("stop", "box", check=True, timeout=20)  # a frozen program could not hear of it
    assert minirun("wait", "box").stdout == "3\n"
    assert not os.path.exists(f"/proc/{pid}")
    assert "why: it is stopped" in minirun("pause", "box").stderr
