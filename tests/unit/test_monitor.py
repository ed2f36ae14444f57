"""native/monitor.c, driven from outside: what a container's parent promises.

The program is the compiled one; [init] is a stand-in (native.py), so no root.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.native import PATIENCE, Client, Monitor, compile_native, python, window

STDOUT, STDERR, STDIN = 1, 2, 4
ATTACHED = b"A" + bytes([STDOUT | STDERR])
INTERACTIVE = b"A" + bytes([STDOUT | STDERR | STDIN])
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
TEN_MB = 10_000_000

Start = Callable[..., Monitor]


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compile_native("monitor", tmp_path_factory.mktemp("native"))


@pytest.fixture
def start(binary: str, tmp_path: Path) -> Iterator[Start]:
    """Starts monitors with start=1 unless told otherwise; ends them all afterwards."""
    monitors: list[Monitor] = []

    def begin(program: str | list[str], *keys: str, **options: object) -> Monitor:
        home = tmp_path / str(len(monitors))
        home.mkdir()
        argv = ["sh", "-c", program] if isinstance(program, str) else program
        if "start=0" not in keys:
            keys = ("start=1", *keys)
        monitors.append(Monitor(binary, home, argv, *keys, **options))  # type: ignore[arg-type]
        return monitors[-1]

    yield begin
    for monitor in monitors:
        monitor.close()


def end_of(monitor: Monitor) -> dict[str, object]:
    """Waits for the end without a client, and gives exit.json."""
    monitor.client.close()
    assert monitor.wait() == 0
    return monitor.record()


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


def test_an_init_that_is_nobody_s_child_is_not_waited_for(binary: str, tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(directory, True)
    argv = ["minirun:[monitor]", "c0ffee", f"dir={directory}", f"data={directory}", "init=1"]
    pid = os.posix_spawn(binary, argv, os.environ)
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
    monitor = start(
        "exit 0", f"killfile={tmp_path}/cgroup.kill", *(f"cgroup={tmp_path}/{n}" for n in names)
    )
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
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGPIPE):
        os.kill(monitor.pid, number)
    monitor.client.send(b"I\n")
    assert monitor.client.exit()["exitCode"] == 6


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


# The log.


def test_the_log_has_the_kubernetes_format(start: Start) -> None:
    monitor = start("echo one; echo; printf 'three\\n'; echo four >&2", "log=1")
    end_of(monitor)
    records = monitor.log()
    assert all(TIME.fullmatch(time) for time, *_ in records)
    assert sorted(record[1:] for record in records) == [
        ("stderr", "F", "four"), ("stdout", "F", ""), ("stdout", "F", "one"), ("stdout", "F", "three"),
    ]  # fmt: skip


def test_a_part_of_a_line_is_logged_at_once(start: Start) -> None:
    monitor = start("printf 'half '; read x; echo whole; printf end", "log=1", stdin=True,
                    first=(INTERACTIVE,))  # fmt: skip
    monitor.client.until(b"O")
    assert [record[2:] for record in monitor.log()] == [("P", "half ")]
    monitor.client.send(b"I\n")
    monitor.client.exit()
    tags_and_text = [record[2:] for record in monitor.log()]
    assert tags_and_text in ([("P", "half "), ("F", "whole"), ("P", "end")],)


def test_a_long_line_comes_back_from_its_parts(start: Start) -> None:
    monitor = start(python("import sys; sys.stdout.write('x' * 100_000 + '\\nshort\\n')"), "log=1")
    end_of(monitor)
    records = monitor.log()
    assert all(len(text) <= 16384 for *_, text in records)
    text = "".join(text + ("\n" if tag == "F" else "") for _, _, tag, text in records)
    assert text == "x" * 100_000 + "\nshort\n"


def test_rotation_happens_between_lines_and_keeps_so_many_files(start: Start) -> None:
    monitor = start("seq 5000", "log=1", "logsize=20000", "logfiles=4")
    end_of(monitor)
    names = ["container.log.3", "container.log.2", "container.log.1", "container.log"]
    assert sorted(p.name for p in monitor.data.glob("container.log*")) == sorted(names)
    kept = [int(text) for name in names for _, _, _, text in monitor.log(name)]
    assert kept == list(range(kept[0], 5001))
    for name in names[:-1]:
        assert 20000 <= (monitor.data / name).stat().st_size < 20100
        assert (monitor.data / name).read_text().endswith("\n")


def test_one_log_file_starts_over(start: Start) -> None:
    monitor = start("seq 1000", "log=1", "logsize=10000", "logfiles=1")
    end_of(monitor)
    assert [p.name for p in monitor.data.glob("container.log*")] == ["container.log"]
    assert monitor.log()[-1][3] == "1000"
    assert (monitor.data / "container.log").stat().st_size < 10100


def test_a_line_without_end_does_not_fill_the_disk(start: Start) -> None:
    monitor = start("head -c 1000000 /dev/zero", "log=1", "logsize=50000", "logfiles=2")
    end_of(monitor)
    sizes = [path.stat().st_size for path in monitor.data.glob("container.log*")]
    assert len(sizes) == 2
    assert all(size < 2 * 50000 + 17000 for size in sizes)


def test_a_full_disk_costs_log_lines_not_the_container(start: Start) -> None:
    """The file size limit stands in for the full disk: both cut a write short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, hard))
    try:
        monitor = start("ulimit -f unlimited; seq 1000", "log=1", first=(ATTACHED,))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    record = monitor.client.exit()
    assert record["exitCode"] == 0
    assert record["logBytesLost"] > 0
    assert monitor.client.output[b"O"] == "".join(f"{n}\n" for n in range(1, 1001)).encode()
    log = monitor.data / "container.log"
    if log.stat().st_size:
        assert log.read_text().endswith("\n")  # no torn record
    assert record["logBytesLost"] + log.stat().st_size > 1000 * 40


def test_without_log_there_is_no_file(start: Start) -> None:
    monitor = start("echo hello")
    end_of(monitor)
    assert not (monitor.data / "container.log").exists()


# Bytes.


def noise(size: int) -> str:
    """Python code that makes ``data``: so many bytes that do not repeat early."""
    return (
        f"import hashlib, os, sys; data = b''.join(hashlib.sha256(b'%d' % i).digest() "
        f"for i in range({size} // 32 + 1))[:{size}]\n"
    )


def noise_here(size: int) -> bytes:
    return b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))[:size]


def test_a_slow_reader_gets_every_byte(start: Start) -> None:
    """Back pressure: the monitor stops reading, so nothing piles up and nothing is lost."""
    monitor = start(python(noise(TEN_MB) + "sys.stdout.buffer.write(data)"), first=(ATTACHED,))
    client = monitor.client
    while len(client.output[b"O"]) < 100_000:
        client.receive()
    # The program stands still as long as nobody reads: it cannot have ended.
    assert select.select([], [], [], 0.2) == ([], [], [])
    assert not (monitor.data / "exit.json").exists()
    assert client.exit()["exitCode"] == 0
    assert client.output[b"O"] == noise_here(TEN_MB)
    monitor.wait()
    assert monitor.usage.ru_maxrss < 2048 + 16 * 1024  # KiB; fork's leftovers counted


def test_two_clients_get_the_same(start: Start) -> None:
    monitor = start(
        python(noise(2_000_000) + "sys.stdin.readline(); sys.stdout.buffer.write(data);"
               "sys.stderr.buffer.write(data[::-1])"), stdin=True, first=(INTERACTIVE,)
    )  # fmt: skip
    second, third = monitor.connect(STDOUT), monitor.connect(STDERR)
    answered = [second, third]
    for client in answered:
        client.send(b"S")  # the answer says that A was heard, too
        client.until(b"S")
    threads = [threading.Thread(target=client.exit) for client in answered]
    for thread in threads:
        thread.start()
    monitor.client.send(b"I\n")
    monitor.client.exit()
    for thread in threads:
        thread.join(PATIENCE)
    data = noise_here(2_000_000)
    assert monitor.client.output == {b"O": data, b"E": data[::-1]}
    assert second.output == {b"O": data, b"E": b""}
    assert third.output == {b"O": b"", b"E": data[::-1]}


def send_all(client: Client, data: bytes) -> None:
    for at in range(0, len(data), 16384):
        client.send(b"I" + data[at : at + 16384])


def test_stdin_arrives_whole_and_in_order_and_ends(start: Start) -> None:
    code = "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    monitor = start(python(code), "stdin_once=1", stdin=True, first=(INTERACTIVE,))
    data = noise_here(TEN_MB)
    send_all(monitor.client, data)
    monitor.client.send(b"C")
    assert monitor.client.exit()["exitCode"] == 0
    assert monitor.client.output[b"O"].decode().strip() == hashlib.sha256(data).hexdigest()


def test_stdin_of_a_client_that_is_gone_still_arrives(start: Start) -> None:
    """`generate | minirun run -i ...`, and the CLI is killed: what it sent was sent."""
    code = (
        "import hashlib, os, sys; os.read(os.open(sys.argv[1], os.O_RDONLY), 1);"
        "print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    )
    fifo = f"/tmp/minirun-test-{os.getpid()}.fifo"
    os.mkfifo(fifo)
    try:
        monitor = start(python(code, fifo), "stdin_once=1", stdin=True, first=(INTERACTIVE,))
        second = monitor.connect(STDOUT)
        second.send(b"S")
        second.until(b"S")
        data = noise_here(150_000)
        send_all(monitor.client, data)  # 64 KiB fit into the pipe, the rest waits in the socket
        monitor.client.close()
        before = cpu_of(monitor.pid)
        assert select.select([], [], [], 0.3) == ([], [], [])
        assert cpu_of(monitor.pid) - before <= 1  # and nobody spins on the hangup
        with open(fifo, "wb") as pipe:
            pipe.write(b"x")
        assert second.exit()["exitCode"] == 0
        assert second.output[b"O"].decode().strip() == hashlib.sha256(data).hexdigest()
    finally:
        os.unlink(fifo)


def test_stdin_that_nobody_reads_is_dropped(start: Start) -> None:
    monitor = start("exec <&-; echo closed; sleep 0.3; exit 5", stdin=True, first=(INTERACTIVE,))
    monitor.client.until(b"O")
    send_all(monitor.client, b"x" * 1_000_000)
    assert monitor.client.exit()["exitCode"] == 5


def test_without_stdin_once_the_end_of_a_client_is_not_the_end_of_stdin(start: Start) -> None:
    monitor = start("read line; echo got $line", stdin=True, first=(INTERACTIVE, b"C"))
    monitor.client.until(b"S")
    monitor.client.close()
    second = monitor.connect(STDOUT | STDIN)
    second.send(b"Ihello\n")
    assert second.exit()["exitCode"] == 0
    assert second.output[b"O"] == b"got hello\n"


def test_with_stdin_once_a_killed_client_ends_stdin(start: Start) -> None:
    monitor = start("cat >/dev/null; exit 8", "stdin_once=1", stdin=True, first=(INTERACTIVE,))
    monitor.client.until(b"S")
    assert end_of(monitor)["exitCode"] == 8


def test_input_of_a_client_that_did_not_attach_stdin_is_not_taken(start: Start) -> None:
    monitor = start("cat", "stdin_once=1", stdin=True, first=(INTERACTIVE,))
    spy = monitor.connect(STDOUT)
    spy.send(b"Ievil\n")
    spy.send(b"C")
    spy.send(b"S")
    spy.until(b"S")
    monitor.client.send(b"Igood\n")
    monitor.client.send(b"C")
    assert monitor.client.exit()["exitCode"] == 0
    assert monitor.client.output[b"O"] == b"good\n"


# Terminals.


def test_a_terminal_carries_both_ways_and_has_a_size(start: Start) -> None:
    monitor = start("stty size; read line; echo got $line; exit 3", "log=1", tty=True,
                    first=(INTERACTIVE, window(33, 101)))  # fmt: skip
    while b"33 101\r\n" not in monitor.client.output[b"O"]:
        monitor.client.receive()
    monitor.client.send(b"Ihello\n")
    assert monitor.client.exit()["exitCode"] == 3
    assert monitor.client.output[b"O"].endswith(b"got hello\r\n")
    assert ("stdout", "F", "33 101\r") in [record[1:] for record in monitor.log()]


def test_a_change_of_size_is_a_signal(start: Start) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGWINCH, lambda *a: (print(*os.get_terminal_size(0)), sys.exit(0)))\n"
        "print('ready', flush=True)\nsignal.pause()\n"
    )
    monitor = start(python(code), tty=True, first=(INTERACTIVE, window(24, 80)))
    monitor.client.until(b"O")
    monitor.client.send(window(50, 132))
    assert monitor.client.exit()["exitCode"] == 0
    assert b"132 50" in monitor.client.output[b"O"]


def test_a_terminal_closed_by_all_and_opened_again_still_works(start: Start) -> None:
    """As init programs do: they close what they got and open /dev/console later."""
    code = (
        "import os\n"
        "name = os.ttyname(0)\n"
        "for fd in (0, 1, 2): os.close(fd)\n"
        "fd = os.open(name, os.O_RDWR)\n"
        "os.write(fd, b'again')\n"
    )
    monitor = start(python(code), tty=True, first=(INTERACTIVE,))
    assert monitor.client.exit()["exitCode"] == 0
    assert monitor.client.output[b"O"] == b"again"


def test_the_last_words_on_a_terminal_are_not_lost(start: Start) -> None:
    monitor = start("seq 2000", tty=True, first=(ATTACHED,))
    monitor.client.exit()
    assert monitor.client.output[b"O"] == "".join(f"{n}\r\n" for n in range(1, 2001)).encode()


# Clients.


def test_who_did_not_attach_gets_no_output(start: Start) -> None:
    monitor = start("echo hello")
    monitor.client.exit()
    assert monitor.client.seen == "SX"


def test_a_killed_client_stops_nobody(start: Start) -> None:
    monitor = start(python(noise(1_000_000) + "sys.stdin.readline(); sys.stdout.buffer.write(data)"),
                    stdin=True, first=(INTERACTIVE,))  # fmt: skip
    victim = monitor.connect(STDOUT | STDERR)
    victim.send(b"S")
    victim.until(b"S")
    monitor.client.send(b"I\n")
    victim.until(b"O")
    victim.close()  # with packets unread, as a killed process would
    assert monitor.client.exit()["exitCode"] == 0
    assert monitor.client.output[b"O"] == noise_here(1_000_000)


def test_sixteen_clients_and_no_more(start: Start) -> None:
    monitor = start("read line", stdin=True, first=(INTERACTIVE,))
    monitor.client.until(b"S")
    clients = [monitor.connect() for _ in range(16)]
    for client in clients[:15]:
        client.send(b"S")
        client.until(b"S")
    assert clients[15].receive() == b""
    clients[3].close()
    again = monitor.connect()
    while again.socket.send(b"S") and not again.receive():  # until its predecessor's place is free
        again = monitor.connect()
    monitor.client.send(b"I\n")
    assert again.exit()["exitCode"] == 0


def test_a_stopped_client_does_not_stop_the_record(start: Start) -> None:
    """It reads nothing: exit.json is there within a second or so, and its output waits for it."""
    monitor = start(python("import os; os.write(1, b'y' * 60_000); os._exit(11)"), first=(ATTACHED,))
    monitor.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    filler = start(python("import os; os.write(1, b'y' * 400_000); os._exit(11)"), first=(ATTACHED,))
    os.kill(filler.init, 0)
    path = filler.data / "exit.json"
    watched = select.poll()
    for _ in range(200):
        if path.exists():
            break
        watched.poll(50)
        if not (filler.data / "exit.json").exists():
            # The program itself stands still behind a full pipe: end it.
            try:
                os.kill(filler.init, signal.SIGKILL)
            except ProcessLookupError:
                pass
    assert json.loads(path.read_text())["exitCode"] in (11, 137)
    os.kill(filler.pid, 0)  # the monitor is still there with the rest
    record = filler.client.exit()
    assert record == filler.record()
    # All that had left the program: what the socket, the chunk and the pipe held.
    assert len(filler.client.output[b"O"]) > 200_000
    assert filler.wait() == 0
    assert monitor.client.exit()["exitCode"] == 11


def test_a_survivor_that_holds_the_pipe_is_not_waited_for(start: Start) -> None:
    monitor = start("sleep 100 & echo $!; exit 2", first=(ATTACHED,))
    assert monitor.client.exit()["exitCode"] == 2
    os.kill(int(monitor.client.output[b"O"]), signal.SIGKILL)
    assert monitor.wait() == 0


def test_a_survivor_that_writes_for_ever_is_not_waited_for(start: Start) -> None:
    monitor = start("yes & echo $! >&2; exit 2", first=(b"A" + bytes([STDERR]),))
    assert monitor.client.exit()["exitCode"] == 2
    os.kill(int(monitor.client.output[b"E"]), signal.SIGKILL)
    assert monitor.wait() == 0


def test_a_client_that_still_sends_gets_its_exit(start: Start) -> None:
    """Unread stdin must not reset the connection and hide the exit record."""
    monitor = start("exit 0", stdin=True, first=(INTERACTIVE, *[b"I" + b"x" * 10_000] * 15))
    assert monitor.wait() == 0
    assert monitor.client.exit()["exitCode"] == 0
    assert monitor.client.receive() == b""


# What comes after.


def after(tmp_path: Path) -> list[str]:
    return ["/bin/sh", "-c", f"echo $PPID $$ > {tmp_path}/after; ls -l /proc/self/fd > {tmp_path}/fds; exit 21"]


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
    argv = ["/bin/sh", "-c", f"grep Sig /proc/$$/status > {tmp_path}/signals"]
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


def cpu_of(pid: int) -> int:
    """Clock ticks of CPU time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def wakeups_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return sum(int(number) for number in re.findall(r"ctxt_switches:\s+(\d+)", status))


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
    before = wakeups_of(monitor.pid)
    assert select.select([monitor.client.socket], [], [], 0.5)[0] == []
    assert wakeups_of(monitor.pid) == before


def test_twenty_idle_monitors_are_small(start: Start) -> None:
    monitors = [start("exec sleep 100", "log=1", client=False) for _ in range(20)]
    for monitor in monitors:
        client = monitor.connect()
        client.send(b"S")
        client.until(b"S")
        client.close()
    pss = []
    for monitor in monitors:
        text = Path(f"/proc/{monitor.pid}/smaps_rollup").read_text()
        pss.append(int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1]))  # type: ignore[index]
    print("PSS of 20 idle monitors, KiB:", sorted(pss))
    assert max(pss) < 100
