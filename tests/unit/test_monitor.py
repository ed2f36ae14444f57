"""native/monitor.c, driven from outside: the gate, the exit, what comes after, what it costs.

The program is the compiled one; [init] is a stand-in (native.py), so no root.
The rest is in test_monitor_log.py and test_monitor_streams.py.
"""

from __future__ import annotations

import json
import os
import select
import signal
from pathlib import Path

import pytest

from tests.needs import needs
from tests.unit.native import ATTACHED, INTERACTIVE, PATIENCE, STDIN, STDOUT, TIME, Start, end_of, wakeups_of

pytest_plugins = ("tests.unit.native",)


# The gate.


def test_the_gate_opens_for_start(start: Start) -> None:
    monitor = start("echo hello", first=(ATTACHED,))
    monitor.client.exit()
    assert monitor.client.seen == "SOX"  # started comes before the first output
    assert TIME.fullmatch((monitor.run / "started").read_text())


def test_the_gate_waits_for_a_client(start: Start, tmp_path: Path) -> None:
    monitor = start(f"touch {tmp_path}/ran", "start=0")
    monitor.client.send(ATTACHED)
    other = monitor.connect(STDOUT)
    assert select.select([other.socket], [], [], 0.05)[0] == []
    assert not (tmp_path / "ran").exists()
    assert not (monitor.run / "started").exists()
    other.send(b"S")
    for client in (other, monitor.client):
        client.exit()
        assert client.seen == "SX"
    assert (tmp_path / "ran").exists()


def test_start_twice_is_answered_twice(start: Start) -> None:
    monitor = start("read line", "start=0", stdin=True, first=(INTERACTIVE, b"S"))
    monitor.client.until(b"S")
    monitor.client.send(b"S")
    monitor.client.until(b"S")
    monitor.client.send(b"I\n")
    assert monitor.client.exit()["exitCode"] == 0


def test_a_failed_start_tells_why_and_its_exit_code(start: Start) -> None:
    why = {"what": "no such program", "kind": "ProgramNotFound", "exit_code": 127}
    monitor = start("true", failure=json.dumps(why).replace(": ", ":").encode())
    assert json.loads(monitor.client.until(b"F")) == why
    record = monitor.client.exit()
    assert (record["exitCode"], record["error"]) == (127, why)
    assert monitor.client.seen == "FX"


def test_a_failure_too_long_to_carry_is_still_a_failure(start: Start) -> None:
    monitor = start("true", failure=b'{"what":"' + b"x" * 9000 + b'"}')
    assert "too long" in json.loads(monitor.client.until(b"F"))["what"]
    assert monitor.client.exit()["exitCode"] == 1


def test_a_death_before_the_gate_is_an_exit_too(start: Start) -> None:
    monitor = start("true", "start=0")
    other = monitor.connect()
    os.kill(monitor.init, signal.SIGKILL)
    for client in (monitor.client, other):
        record = client.exit()
        assert (record["exitCode"], record["signal"], record["error"]) == (137, 9, None)
        assert client.seen == "X"
    assert not (monitor.run / "started").exists()


# The exit.


@pytest.mark.parametrize("code", [0, 3, 127, 255])
def test_the_exit_code_is_recorded_and_told(start: Start, code: int) -> None:
    monitor = start(f"exit {code}")
    told = monitor.client.exit()
    assert monitor.wait() == 0
    assert told == monitor.record()
    assert TIME.fullmatch(told.pop("finishedAt"))
    assert told == {"exitCode": code, "signal": 0, "oomKilled": False, "error": None}


@pytest.mark.parametrize("name", ["KILL", "TERM", "ABRT"])
def test_a_signal_is_128_plus_its_number(start: Start, name: str) -> None:
    number = int(getattr(signal, f"SIG{name}"))
    record = end_of(start(f"ulimit -c 0; kill -{name} $$"))
    assert (record["exitCode"], record["signal"]) == (128 + number, number)


def test_an_init_that_is_nobody_s_child_is_not_waited_for(monitor_binary: str, tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(directory, True)
    argv = ["minirun:[monitor]", "c0ffee", f"dir={directory}", f"data={directory}", "init=1"]
    pid = os.posix_spawn(monitor_binary, argv, os.environ)
    os.close(directory)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert json.loads((tmp_path / "exit.json").read_text())["exitCode"] == 255


def test_an_unknown_argument_is_refused_and_nothing_starts(start: Start, tmp_path: Path) -> None:
    monitor = start(f"touch {tmp_path}/ran", "colour=blue")
    assert monitor.wait() == 64
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "killed"),
    [("low 0\noom 1\noom_kill 1\noom_group_kill 0\n", True),
     ("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n", True),
     ("low 0\noom 4\noom_kill 0\noom_group_kill 3\n", False),
     ("", False)],
)  # fmt: skip
def test_the_oom_killer_is_seen(start: Start, tmp_path: Path, text: str, killed: bool) -> None:
    (tmp_path / "memory.events").write_text(text)
    assert end_of(start("exit 0", f"oom={tmp_path}/memory.events"))["oomKilled"] is killed


def test_cgroups_are_removed_in_order_and_survivors_killed(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a" / "leaf").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "cgroup.kill").touch()
    names = ["a/leaf", "a", "missing", "b"]
    monitor = start("exit 0", f"killfile={tmp_path}/cgroup.kill", *(f"cgroup={tmp_path}/{n}" for n in names))
    end_of(monitor)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_survivors_are_killed_by_pid_where_there_is_no_cgroup_kill(start: Start, tmp_path: Path) -> None:
    procs = tmp_path / "cgroup.procs"
    # The last number has no end of line: it is half of another one, and must not be touched.
    monitor = start(
        f"sleep 100 & echo $! > {procs}; sleep 100 & printf %d $! >> {procs}; echo $!; exit 4",
        f"killfile={procs}",
        first=(ATTACHED,),
    )
    assert monitor.client.exit()["exitCode"] == 4
    killed, spared = (int(line) for line in procs.read_text().split())
    os.kill(spared, signal.SIGKILL)  # it was there to be killed
    assert monitor.wait() == 0
    try:
        process = os.pidfd_open(killed)
    except ProcessLookupError:
        return  # dead and reaped
    assert select.select([process], [], [], PATIENCE)[0] == [process]  # a zombie, at the host's init
    os.close(process)


def test_exit_json_is_never_seen_half_written(start: Start) -> None:
    """Whoever looks sees no file or a whole one, and no temporary one stays."""
    monitor = start("exit 9")
    path = monitor.data / "exit.json"
    while not path.exists():
        pass
    assert json.loads(path.read_text())["exitCode"] == 9
    monitor.client.close()
    monitor.wait()
    assert [entry.name for entry in monitor.data.iterdir()] == ["exit.json"]


def test_an_exit_that_cannot_be_kept_on_disk_goes_to_the_runtime_directory(start: Start) -> None:
    monitor = start("sleep 100")
    monitor.client.until(b"S")
    monitor.data.rmdir()  # the monitor's descriptor now leads nowhere
    os.kill(monitor.init, signal.SIGTERM)
    assert monitor.client.exit()["exitCode"] == 128 + 15
    assert json.loads((monitor.run / "exit.json").read_text())["exitCode"] == 128 + 15


def test_a_storm_of_orphans_is_reaped(start: Start) -> None:
    monitor = start("for i in $(seq 500); do (sleep 0 &) ; done; echo done; read line", stdin=True,
                    first=(INTERACTIVE,))  # fmt: skip
    monitor.client.until(b"O")
    monitor.client.send(b"I\n")
    assert monitor.client.exit()["exitCode"] == 0
    # Whatever still lives has the monitor for its parent; none of them is a zombie for long.
    assert monitor.wait() == 0


def test_signals_do_not_end_the_monitor(start: Start) -> None:
    monitor = start("read line; exit 6", stdin=True, first=(INTERACTIVE,))
    monitor.client.until(b"S")
    for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "PIPE"):
        os.kill(monitor.pid, getattr(signal, f"SIG{name}"))
    monitor.client.send(b"I\n")
    assert monitor.client.exit()["exitCode"] == 6


# What comes after.


def after(tmp_path: Path) -> list[str]:
    script = f"echo $PPID $$ > {tmp_path}/after; ls -l /proc/self/fd > {tmp_path}/fds; exit 21"
    return ["/bin/sh", "-c", script]


def test_the_program_after_runs_in_the_monitor_s_place(start: Start, tmp_path: Path) -> None:
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    monitor = start("exit 0", after=after(tmp_path), lock=lock)
    os.close(lock)
    assert monitor.client.exit()["exitCode"] == 0
    assert monitor.client.receive() == b""
    assert monitor.wait() == 21
    parent, itself = map(int, (tmp_path / "after").read_text().split())
    assert (parent, itself) == (os.getpid(), monitor.pid)
    held = [line.split(" -> ")[1] for line in (tmp_path / "fds").read_text().splitlines() if " -> " in line]
    assert str(tmp_path / "lock") in held  # and nothing else of the monitor's
    assert sorted(held)[:3] == ["/dev/null"] * 2 + sorted(h for h in held if "/proc" in h)[:1]


def test_the_program_after_has_plain_signals(start: Start, tmp_path: Path) -> None:
    argv = ["/bin/sh", "-c", f"exec grep Sig /proc/self/status > {tmp_path}/signals"]
    monitor = start("exit 0", after=argv)
    end_of(monitor)
    signals = dict(line.split(":\t") for line in (tmp_path / "signals").read_text().splitlines())
    assert int(signals["SigBlk"], 16) == 0
    assert int(signals["SigIgn"], 16) == 0


def test_a_client_that_took_over_and_is_done_leaves_nothing_to_do(start: Start, tmp_path: Path) -> None:
    monitor = start("exit 0", after=after(tmp_path), first=(ATTACHED, b"T"))
    monitor.client.exit()
    assert select.select([monitor.client.socket], [], [], 0.1)[0] == []  # it waits for the D
    monitor.client.send(b"D")
    assert monitor.client.receive() == b""
    assert monitor.wait() == 0
    assert not (tmp_path / "after").exists()


@pytest.mark.parametrize("when", ["while it runs", "after the exit"])
def test_a_client_that_took_over_and_is_lost_is_replaced(start: Start, tmp_path: Path, when: str) -> None:
    monitor = start("read line", after=after(tmp_path), stdin=True, first=(INTERACTIVE, b"T"))
    other = monitor.connect(STDIN)
    if when == "while it runs":
        monitor.client.close()
        other.send(b"I\n")
    else:
        other.send(b"I\n")
        monitor.client.exit()
        monitor.client.close()
    assert monitor.wait() == 21
    assert (tmp_path / "after").exists()


def test_a_client_can_give_back_what_it_took(start: Start, tmp_path: Path) -> None:
    monitor = start("read line", after=after(tmp_path), stdin=True, first=(INTERACTIVE, b"T", b"D", b"I\n"))
    monitor.client.exit()
    assert monitor.wait() == 21


# What it costs.


@pytest.mark.parametrize("how", [{"stdin": True}, {"tty": True}])
def test_an_idle_monitor_sleeps(start: Start, how: dict[str, bool]) -> None:
    monitor = start("exec sleep 100", "log=1", first=(INTERACTIVE,), **how)
    monitor.client.until(b"S")
    second = monitor.connect(STDOUT)
    second.send(b"S")
    second.until(b"S")
    second.close()
    third = monitor.connect()
    third.send(b"S")
    third.until(b"S")
    before = wakeups_of(monitor.pid)  # that is: once it sleeps
    assert select.select([monitor.client.socket], [], [], 0.5)[0] == []
    assert wakeups_of(monitor.pid) == before


@needs("musl-gcc")
def test_twenty_idle_monitors_are_small(start: Start) -> None:
    monitors = [start("exec sleep 100", "log=1", client=False) for _ in range(20)]
    for monitor in monitors:
        client = monitor.connect()
        client.send(b"S")
        client.until(b"S")
        client.close()
    pss = sorted(monitor.pss() for monitor in monitors)
    print("PSS of 20 idle monitors, KiB:", pss)
    assert pss[-1] < 100
