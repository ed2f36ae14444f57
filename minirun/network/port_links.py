"""The links below STATE/ports: what one says, and who may touch them.

Layer ``network``, below ``ports.py``. A link is called PROTOCOL-ADDRESS-PORT after
the host's side of a port (``any`` is each address), and its text is the owner's
id, then the owner's side of it:

    tcp-any-8080  ->  4f1d... 80 10.87.0.2 fd12::2

symlink(2) makes name and text in one step, or refuses; readlink(2) has it back.
There are two locks, both of flock(2), which ends with its holder: the directory,
while links are made or removed; and ``.turn``, which those who take a port out of
the kernel's table share, and who puts all of them back has alone.
"""

from __future__ import annotations

import fcntl
import os

from minirun.spec import Port
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ANY = "any"


class Link(Value):
    """What a link says. Without addresses it is a port that is claimed and not led anywhere."""

    owner: str
    port: Port
    addresses: tuple[str, ...] = ()


def name(port: Port) -> str:
    """``tcp-any-8080``."""
    return f"{port.protocol}-{port.host_address or ANY}-{port.host_port}"


def text(owner: str, port: Port, addresses: Sequence[str]) -> str:
    """What the link of ``port`` says."""
    return " ".join((owner, str(port.port), *addresses)) if addresses else owner


def holder(directory: str, name: str) -> str:
    """Whose the link is; "" for none."""
    return (_words(directory, name) or [""])[0]


def read(directory: str, names: Iterable[str]) -> Iterator[Link]:
    """The links of these names that there are."""
    for name in names:
        words = _words(directory, name)
        if not words:
            continue  # it is gone, or no link
        protocol, _, rest = name.partition("-")
        address, _, number = rest.rpartition("-")
        port = Port(
            protocol=protocol,
            host_address="" if address == ANY else address,
            host_port=int(number),
            port=int(words[1]) if len(words) > 1 else 0,
        )
        yield Link(owner=words[0], port=port, addresses=tuple(words[2:]))


def _words(directory: str, name: str) -> list[str]:
    try:
        return os.readlink(f"{directory}/{name}").split()
    except OSError:
        return []


def lock(directory: str) -> int:
    """A descriptor that keeps others from the links until it is closed. Raises FileNotFoundError."""
    return _locked(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), fcntl.LOCK_EX)


def turn(directory: str, alone: bool) -> int:
    """A descriptor that keeps who publishes again from who gives back, and the other way round."""
    file = os.open(f"{directory}/.turn", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return _locked(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)


def _locked(file: int, kind: int) -> int:
    try:
        fcntl.flock(file, kind)
    except BaseException:
        os.close(file)
        raise
    return file
