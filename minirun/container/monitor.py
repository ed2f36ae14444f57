"""The monitor as its creator sees it: how it is called, what is said to it.

Layer ``container``; the program itself is ``native/monitor.c``. After the
container is created, the Python process that made it becomes this C program
by execve(2): the same pid, so still the parent, but a few pages of memory
instead of an interpreter. It waits, logs, owns the terminal and the attach
socket, records the exit, and then runs ``minirun`` once more if anything is
left to do (``after.py``).

Every packet on its sockets begins with one of these bytes.
"""

from __future__ import annotations

import os
import sys

from minirun import native
from minirun.container.state import Home, Record
from minirun.linux import process
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from typing import NoReturn

# From a client to the monitor.
ATTACH = b"A"  # then one byte: Wants
OPEN_GATE = b"S"
STDIN = b"I"
STDIN_END = b"C"
WINDOW = b"W"  # then rows and columns, two bytes each
TAKE_OVER = b"T"  # what comes after is mine to do
DONE = b"D"  # I have done it

# From the monitor (CREATED: from its creator) to a client.
CREATED = b"R"
STARTED = b"S"
FAILED = b"F"  # then the error as JSON (channel.failure)
STDOUT = b"O"
STDERR = b"E"
EXITED = b"X"  # then exit.json

#: A file in the runtime directory: the container was connected to a network while it ran.
CONNECTED = "connected"
LOG_SIZE = 10 << 20
LOG_FILES = 5


class Wants:
    """What an ATTACH asks for, as bits."""

    STDOUT = 1
    STDERR = 2
    STDIN = 4


def wish(stdin: bool = False, stdout: bool = True, stderr: bool = True) -> bytes:
    """The packet that tells the monitor which streams a client wants."""
    wants = Wants.STDIN * stdin | Wants.STDOUT * stdout
    return ATTACH + bytes([wants | Wants.STDERR * stderr])


class Descriptors(Value):
    """What the monitor inherits; -1 is not there."""

    runtime: int
    data: int
    lock: int
    listen: int
    channel: int
    client: int = -1
    stdin: int = -1
    stdout: int = -1
    stderr: int = -1


def become(
    home: Home,
    record: Record,
    fds: Descriptors,
    terminal: int | None,
    init: int,
    opened: bool,
    starter: int = 0,
) -> NoReturn:
    """Replaces this process by the monitor of ``home``; never returns.

    ``terminal`` is the master of the container's terminal if it has one,
    ``opened`` says that the gate is open already; ``starter`` is a process that stands for
    init at the channel, where another runtime has made that one.
    """
    arguments = [
        "minirun:[monitor]",
        home.id[:12],
        f"dir={fds.runtime}",
        f"data={fds.data}",
        f"lock={fds.lock}",
        f"listen={fds.listen}",
        f"channel={fds.channel}",
        f"init={init}",
        "log=1",
        f"logsize={LOG_SIZE}",
        f"logfiles={LOG_FILES}",
    ]
    optional = {
        "client": fds.client,
        "in": fds.stdin,
        "out": fds.stdout,
        "err": fds.stderr,
        "tty": -1 if terminal is None else terminal,
    }
    arguments += [f"{name}={fd}" for name, fd in optional.items() if fd >= 0]
    if starter:
        arguments.append(f"starter={starter}")
    if opened:
        arguments.append("start=2")
    if record.interactive and not record.keepsStdin:
        arguments.append("stdin_once=1")
    if record.oomFile:
        arguments.append(f"oom={record.oomFile}")
    if record.killFile:
        arguments.append(f"killfile={record.killFile}")
    arguments += [f"cgroup={directory}" for directory in record.cgroups]
    arguments += _after(home, record, fds.lock)
    for fd in (fds.runtime, fds.data, fds.lock, fds.listen, fds.channel, *optional.values()):
        if fd >= 0:
            os.set_inheritable(fd, True)
    process.execve(native.path("monitor"), arguments, _environment())


def _after(home: Home, record: Record, lock: int) -> list[str]:
    """What the monitor becomes when the container has ended: `minirun`, to remove it or its network.

    One without a network may be given one while it runs (connect.py), which leaves word of it. A
    pod is looked after as long as there is one: who removes it ends its containers himself.
    """
    condition = "" if record.remove or record.spec.endpoints else f"when={CONNECTED}"
    if record.pod:
        condition = f"when={home.store.root}/pods/{record.pod}/pod.json"
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    layer = "pod" if record.pod else "container"
    script = f"import sys; sys.path.insert(0, sys.argv[1]); from minirun.{layer} import after; after.main()"
    return [
        *([condition] if condition else []),
        "--",
        sys.executable,
        *("-I", "-c", script, package),
        *(home.store.root, home.store.state, home.id, str(lock)),
    ]


def _environment() -> list[str]:
    return ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
