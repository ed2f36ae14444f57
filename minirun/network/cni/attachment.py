"""The record of an attachment: one container, on one network, by one interface.

Layer ``network``, part of ``cni``. STATE/cni/results/NETWORK:ID:INTERFACE is
written before the first plugin runs and after each of them, so that a DEL knows
the very configuration of the ADD and how far it came, whatever happened to the
file in /etc/cni/net.d, or to the process that ran it. (No name has a colon in
it, so no two records have one path.) CNI calls it the cached result.

Operations on one container take turns, and GC wants to be alone (SPEC.md,
section 2): ``Turn`` and ``Alone``. By the book ADDs of different containers may
run at once, but of two first ones that make the same iptables chain, one fails
(firewall 1.1.1); so the ADDs of one network take turns too. The locks are
flock(2)s on a fixed set of files, which nobody ever has to remove. Part of
``chain.py``.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from typing import Any

from minirun.errors import InvalidInput, MinirunError, reason
from minirun.network.cni import result
from minirun.network.cni.config import NAME_RULE, NetworkConfig, is_name
from minirun.network.cni.result import Result
from minirun.values import Value, decode, plain

_SLOTS = 64


class Attachment(Value):
    """What ADD was told, and the answer so far. ``runtime`` are capabilities and their values.

    ``paths`` is where its plugins were found: whoever calls DEL may have another CNI_PATH, or none.
    """

    config: NetworkConfig
    version: str
    container_id: str
    interface: str
    netns: str
    paths: tuple[str, ...] = ()
    args: dict[str, str] = {}
    runtime: dict[str, Any] = {}
    result: dict[str, Any] = {}
    complete: bool = False
    """Every plugin has answered; without it, whoever ran them failed or was killed."""

    def answer(self) -> Result:
        """``result`` as ``add`` returned it; empty before the first plugin has answered."""
        what = f"the answer on record for container {self.container_id}"
        return result.read(self.result, self.version, what) if self.result else Result()


def check_names(network: str, container_id: str, interface: str) -> None:
    """Raises InvalidInput for a name that the specification or the kernel does not allow."""
    for what, name in (("network name", network), ("container id", container_id)):
        if not is_name(name):
            raise InvalidInput(f"{name!r} is no {what} for CNI", NAME_RULE, "choose another")
    if not 0 < len(interface.encode()) <= 15 or interface in (".", "..") or not _is_interface(interface):
        why = "an interface has 1 to 15 bytes, none of them / : or white space"
        raise InvalidInput(f"{interface!r} is no name for an interface", why, "choose another, such as eth0")


def _is_interface(name: str) -> bool:
    return not any(sign in "/:" or sign.isspace() or not sign.isprintable() for sign in name)


def save(attachment: Attachment, state: str) -> None:
    """Writes the record, in one step: whoever reads it finds the old one or the new one."""
    import json

    directory = f"{state}/cni/results"
    os.makedirs(directory, 0o700, exist_ok=True)
    name = _name(attachment.config.name, attachment.container_id, attachment.interface)
    fd = os.open(f"{directory}/.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w") as file:
        json.dump(plain(attachment), file)
    os.rename(f"{directory}/.{name}", f"{directory}/{name}")


def find(state: str, network: str, container_id: str, interface: str) -> Attachment | None:
    """The record, None if there is none. Raises InvalidInput if it is damaged."""
    return _read(f"{state}/cni/results/{_name(network, container_id, interface)}")


def forget(state: str, network: str, container_id: str, interface: str) -> None:
    """Removes the record; gone already is fine."""
    name = _name(network, container_id, interface)
    for path in (f"{state}/cni/results/{name}", f"{state}/cni/results/.{name}"):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def cached(state: str) -> tuple[list[Attachment], list[MinirunError]]:
    """Every attachment there is a record of, and an error for each record that is damaged."""
    return _read_all(state, "")


def attachments_of(state: str, container_id: str) -> tuple[list[Attachment], list[MinirunError]]:
    """The same for those of one container."""
    return _read_all(state, f":{container_id}:")


def _read_all(state: str, part: str) -> tuple[list[Attachment], list[MinirunError]]:
    found: list[Attachment] = []
    broken: list[MinirunError] = []
    directory = f"{state}/cni/results"
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    for name in names:
        if name.startswith(".") or part not in name:
            continue  # a half-written one: `sweep` removes it
        try:
            attachment = _read(f"{directory}/{name}")
        except MinirunError as error:
            broken.append(error)
        else:
            found += [attachment] if attachment else []
    return found, broken


def sweep(state: str) -> None:
    """Removes records that were not written to their end. For who is ``Alone``: else somebody is at it."""
    directory = f"{state}/cni/results"
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        if name.startswith("."):
            os.unlink(f"{directory}/{name}")


class Turn:
    """``with Turn(state, container_id):`` for an operation on one container; ``network`` is given for ADD."""

    _how = fcntl.LOCK_SH

    def __init__(self, state: str, container_id: str = "", network: str = "") -> None:
        self.directory = f"{state}/cni/locks"
        # Always in this order, so that no two wait for each other.
        names = (("network", network), ("container", container_id))
        self.slots = [f"{kind}-{zlib.crc32(name.encode()) % _SLOTS}" for kind, name in names if name]
        self.fds: list[int] = []

    def __enter__(self) -> Turn:
        os.makedirs(self.directory, 0o700, exist_ok=True)
        self._take("all", self._how)
        for slot in self.slots:
            self._take(slot, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        while self.fds:
            os.close(self.fds.pop())

    def _take(self, name: str, how: int) -> None:
        self.fds.append(os.open(f"{self.directory}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        fcntl.flock(self.fds[-1], how)


class Alone(Turn):
    """``with Alone(state):`` for GC: no ADD and no DEL goes on meanwhile."""

    _how = fcntl.LOCK_EX


def _name(network: str, container_id: str, interface: str) -> str:
    return f"{network}:{container_id}:{interface}"


def _read(path: str) -> Attachment | None:
    try:
        with open(path, "rb") as file:
            return decode(file.read(), Attachment, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"cannot read {path}", reason(error), "look at that file") from error
    except InvalidInput as error:
        remedy = "remove the file; what its plugins made is then yours to take away"
        raise InvalidInput(error.what, error.why, remedy) from error
