"""native/monitor.c carries bytes: every one, in order, for terminals and many clients."""

from __future__ import annotations

import hashlib
import os
import select
import signal
import threading
import time

from tests.unit.native import (
    ATTACHED,
    INTERACTIVE,
    PATIENCE,
    STDERR,
    STDIN,
    STDOUT,
    Start,
    cpu_of,
    end_of,
    noise,
    noise_here,
    python,
    send_all,
    window,
)

pytest_plugins = ("tests.unit.native",)
TEN_MB = 10_000_000


# Bytes.


def test_a_slow_reader_gets_every_byte(start: Start) -> None:
    """Back pressure: the monitor stops reading, so nothing piles up and nothing is lost."""
    monitor = start(python(noise(TEN_MB) + "sys.stdout.buffer.write(data)"), first=(ATTACHED,))
    client = monitor.client
    while len(client.output[b"O"]) < 100_000:
        client.receive()
    # The program stands still as long as nobody reads: it cannot have ended.
    assert select.select([], [], [], 0.2) == ([], [], [])
    assert not (monitor.data / "exit.json").exists()
    assert monitor.pss("Pss_Anon") < 200
    assert client.exit()["exitCode"] == 0
    assert client.output[b"O"] == noise_here(TEN_MB)


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
        data = noise_here(120_000)
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
        "import os, signal\n"
        "def resized(*_): os.write(1, b'%d %d' % os.get_terminal_size(0)); os._exit(0)\n"
        "signal.signal(signal.SIGWINCH, resized)\n"
        "os.write(1, b'ready')\nsignal.pause()\n"
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
    """It reads nothing: exit.json is there a second after the death, and the output waits."""
    code = (
        "import os, select\n"
        "os.set_blocking(1, False)\n"
        "room = select.poll(); room.register(1, select.POLLOUT)\n"
        "total = 0\n"
        "while room.poll(300): total += os.write(1, b'y' * 4096)\n"
        "os.write(2, b'%d' % total)\n"
        "os._exit(11)\n"
    )
    monitor = start(python(code), after=["/bin/true"], first=(ATTACHED,))
    process = os.pidfd_open(monitor.init)
    watch = select.poll()
    watch.register(process, select.POLLIN)
    assert watch.poll(PATIENCE * 1000)
    os.close(process)
    deadline = time.monotonic() + PATIENCE
    while not (monitor.data / "exit.json").exists():
        assert time.monotonic() < deadline
    assert monitor.record()["exitCode"] == 11
    os.kill(monitor.pid, 0)  # the monitor is still there with the rest
    assert monitor.client.exit() == monitor.record()
    assert len(monitor.client.output[b"O"]) == int(monitor.client.output[b"E"])
    assert monitor.wait() == 0


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
    monitor = start("exit 0", stdin=True, first=(INTERACTIVE, *[b"I" + b"x" * 10_000] * 4))
    assert monitor.wait() == 0
    assert monitor.client.exit()["exitCode"] == 0
    assert monitor.client.receive() == b""
