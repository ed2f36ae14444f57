"""What the steps of ``plan.py`` do: a bundle is written, the runtime is called.

Layer ``container``. The runtime is a child of the process that becomes the monitor
and dies with it, so that nobody goes on making a container that `gc` takes back.
What it has to say it says into a log (--log-format json, as containerd and podman
have it), for its stderr is the container's. Read ``create.py`` for who walks the steps.
"""

from __future__ import annotations

import os

from minirun.container.oci.runtime import Called
from minirun.errors import (
    MinirunError,
    NotExecutable,
    ProgramNotFound,
    StepFailed,
    Unsupported,
    one_line,
    reason,
)
from minirun.linux import process
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from minirun.container.channel import Channel

#: How long a runtime may take for one verb, in seconds; containerd has the same.
PATIENCE = 120
#: What somebody who is attached passes on to the program: HUP, INT, QUIT, USR1, USR2, TERM, WINCH.
FORWARDED = (1, 2, 3, 10, 12, 15, 28)
#: In the bundle, which every runtime makes its working directory: sun_path holds 108 bytes only.
TERMINAL = "terminal.sock"
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


@syscall(
    "write",
    "config.md of the OCI runtime specification",
    show=lambda place, config: f'write("{place}/config.json")',
)
def write_bundle(place: str, config: dict[str, Any]) -> None:
    """Makes the directory ``place`` with config.json in it."""
    import json

    os.makedirs(place, 0o700, exist_ok=True)
    with open(f"{place}/config.json", "w") as file:
        json.dump(config, file)


@syscall("bind", "unix(7)", show=lambda bundle: f'bind("{bundle}/{TERMINAL}")')
def listen(bundle: str) -> int:
    """A socket in the bundle, on which the runtime hands over the terminal that it opens."""
    import _socket

    directory = os.open(bundle, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        if os.path.exists(f"{bundle}/{TERMINAL}"):
            os.unlink(f"{bundle}/{TERMINAL}")
        sock.bind(f"/proc/self/fd/{directory}/{TERMINAL}")
        sock.listen(1)
        return sock.detach()
    finally:
        os.close(directory)
        sock.close()


def _show(called: Called, verb: str, *rest: str) -> str:
    words = [called.runtime.name, *called.flags, "--root", called.root, verb, *rest, called.id]
    return f'execve("{called.runtime.path}", {" ".join(words)})'


def _create_flags(bundle: str, terminal: bool) -> list[str]:
    socket = ["--console-socket", TERMINAL] if terminal else []
    return ["--bundle", bundle, "--pid-file", f"{bundle}/pid", *socket]


def _show_create(called: Called, bundle: str, terminal: bool, *_streams: object) -> str:
    return _show(called, "create", *_create_flags(bundle, terminal))


@syscall("execve", show=_show_create)
def create(called: Called, bundle: str, terminal: bool, *streams: int) -> None:
    """``RUNTIME create``: the container, up to where its program would begin. Raises what it says."""
    os.makedirs(called.root, 0o700, exist_ok=True)
    run(called, "create", called.words("create", *_create_flags(bundle, terminal)), bundle, streams)


@syscall("read", show=lambda bundle: f'read("{bundle}/pid")')
def read_pid(bundle: str) -> int:
    """The pid of the container's first process, as the runtime has noted it."""
    with open(f"{bundle}/pid") as file:
        return int(file.read())


@syscall("recvmsg", "unix(7)", show=lambda listener: f"recvmsg(accept({listener}), SCM_RIGHTS)")
def receive_terminal(listener: int) -> int:
    """Our end of the terminal, which the runtime has sent."""
    import array
    import socket

    sock = socket.socket(fileno=listener)
    sock.settimeout(PATIENCE)
    peer, _ = sock.accept()
    try:
        peer.settimeout(PATIENCE)
        _, rights, _, _ = peer.recvmsg(4096, socket.CMSG_LEN(4), socket.MSG_CMSG_CLOEXEC)
    finally:
        peer.close()
        sock.close()
    if not rights:
        raise StepFailed(
            "the runtime has sent no terminal", "its message had no descriptor", "run without -t"
        )
    (master,) = array.array("i", rights[0][2])
    return int(master)


@syscall("close", show=lambda *fds: f"close({', '.join(map(str, fds))})")
def close(*fds: int) -> None:
    """Lets go of ``fds``: a stray end of a pipe would hide an end of file."""
    for fd in fds:
        os.close(fd)


@syscall("execve", show=lambda called, *_streams: _show(called, "start"))
def start(called: Called, *streams: int) -> None:
    """``RUNTIME start``: the program begins. Raises what kept it from that."""
    run(called, "start", called.words("start"), "/", streams)


@syscall("execve", show=lambda called, channel: _show(called, "wait"))
def wait(called: Called, channel: Channel) -> NoReturn:
    """Stands in, as a process of this host, for a program in another container's kernel; ends as it ends."""
    import json
    import signal

    channel.close()  # started
    for number in FORWARDED:
        signal.signal(number, lambda number, _: call([*called.words("kill"), str(number)], "/", (), True))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # for as long as the program runs nothing shall be held
    _, said = call(called.words("wait"), "/", (), capture=True, patience=None)
    try:
        status = int(json.loads(said)["exitStatus"])
    except (ValueError, KeyError, TypeError):
        status = 255  # it was killed with all of its kernel
    process.leave(status & 0xFF if status < 256 else 128 + (status & 0x7F))


def delete(called: Called) -> None:
    """``RUNTIME delete --force``: ends what runs, and forgets it; gone already is fine."""
    if not os.path.isdir(called.root):
        return
    try:
        call(called.words("delete", "--force"), "/", (), capture=True)
    except OSError:
        return  # the runtime itself is gone: the cgroups are emptied, and the directory goes


def run(called: Called, verb: str, words: Sequence[str], cwd: str, streams: Sequence[int]) -> None:
    """Calls the runtime. Raises what it has logged, in our words where it is about the program."""
    clear(called.log)
    what = f"{called.runtime.name} cannot {verb} the container"
    try:
        status, said = call(words, cwd, streams)
    except OSError as error:
        remedy = "name a runtime that runs on this machine"
        raise StepFailed(what, f"execve {words[0]}: {reason(error)}", remedy) from error
    if status:
        raise failure(called, what, status, said)


def call(
    words: Sequence[str],
    cwd: str,
    streams: Sequence[int],
    capture: bool = False,
    patience: float | None = PATIENCE,
) -> tuple[int, bytes]:
    """Runs it to its end: exit status, and with ``capture`` what it printed. Dies with its caller.

    After ``patience`` seconds it is killed; None waits for ever.
    """
    import subprocess

    import prctl  # noqa: F401  # for die_with_parent: after the fork is no time to import

    def before() -> None:
        process.die_with_parent()
        process.stop_ignoring_signals()  # what our caller ignores the container's program would, too

    stdin, stdout, stderr = streams or (subprocess.DEVNULL,) * 3
    child = subprocess.Popen(
        list(words),
        stdin=stdin,
        stdout=subprocess.PIPE if capture else stdout,
        stderr=stderr,
        cwd=cwd,
        env=ENV,
        preexec_fn=before,
    )
    try:
        printed, _ = child.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return -9, f"no end after {patience} s".encode()
    return child.returncode, printed or b""


def failure(called: Called, what: str, status: int, said: bytes = b"") -> MinirunError:
    """In the words of the runtime's log; where the program is at fault, with docker's exit codes."""
    ended = f"it died of signal {-status}" if status < 0 else f"it ended with {status} and said nothing"
    told = _logged(called.log) or one_line(said.decode(errors="replace")) or ended
    if program := _program_in(told):
        why = f"{called.runtime.name}: {told}"
        if "not found" in told or "no such file" in told:
            remedy = "check the path and the image"
            return ProgramNotFound(f"cannot run '{program}': no such program in the container", why, remedy)
        return NotExecutable(f"cannot run '{program}'", why, "name a program that this user may execute")
    if "cgroup" in told and "hybrid" in told:
        remedy = "use one that can (runc), leave the container to minirun, or boot with cgroup v2 alone"
        return Unsupported(what, f"it says: {told}", remedy)
    return StepFailed(what, f"it says: {told}", f"that is the word of {called.runtime.path}: see its manual")


def _program_in(told: str) -> str:
    """The program that could not be run, "" where it is about something else."""
    import re

    for pattern in (
        r'exec: "([^"]+)"',
        r'executable "([^"]+)"',
        r"executable file `([^`]+)`",
        r"failed to load (\S+):",
    ):
        if found := re.search(pattern, told):
            return found[1]
    return ""


def _logged(path: str) -> str:
    """The last error of its log, a JSON object on each line."""
    import json

    found = ""
    try:
        with open(path, errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("level") in ("error", "fatal") or not found:
            found = str(entry.get("msg", ""))
    return one_line(found)


def clear(path: str) -> None:
    """Begins the runtime's log anew: what it says next is about what is asked next."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
