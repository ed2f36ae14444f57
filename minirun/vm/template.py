"""A machine booted once: its memory in a file, restored from then on.

Layer ``vm``. Two seconds of an emulated boot are the same every time, up to the
moment where the guest's first process says that it is ready. So there the
machine is stopped; its memory is a file already, and QEMU writes the state of
its devices, a few hundred KiB, into another (``qmp.py``). A run then maps the
memory copy-on-write and goes on from there: the page cache is shared by all,
and what one writes is its own.

    ROOT/templates/KEY/memory state template.json

KEY is a digest of all that must be the same: the hardware, kernel, initramfs
and QEMU itself. Nothing is mounted and nothing secret known at that moment: the
clock is set and the random numbers are seeded after the restore (``guest.py``).
See QEMU's docs/devel/migration. Read ``run.py`` next.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os

from minirun.container.files import parse, read, timestamp, write_json
from minirun.errors import NotFound
from minirun.linux.path import remove_tree
from minirun.values import TYPE_CHECKING, Value
from minirun.vm import hypervisor, qmp, share
from minirun.vm import machine as hardware
from minirun.vm.machine import Machine, Wires
from minirun.vm.wire import Guest

if TYPE_CHECKING:
    import socket

    from minirun.vm.wire import Milestone

_UNFINISHED = ".new-"


class Template(Value):
    """A stopped machine. ``memory`` is in bytes, ``created`` RFC 3339."""

    key: str
    kernel: str
    memory: int
    cpus: int
    accel: str
    network: bool
    created: str
    files: tuple[tuple[str, int, int], ...] = ()
    """What it was made from: path, size, and time of change in nanoseconds."""


def suits(machine: Machine) -> bool:
    """Whether such a machine can come from a template: not with what is this run's alone."""
    return not (machine.disks or machine.append or machine.chatty)


def key_of(machine: Machine) -> str:
    """The digest of everything that a restored machine must have in common with its template."""
    words = hardware.arguments(machine, Wires(memory="memory"))
    return hashlib.sha256(json.dumps([_files(machine), words]).encode()).hexdigest()[:32]


def _files(machine: Machine) -> tuple[tuple[str, int, int], ...]:
    return tuple(map(_identity, (machine.kernel, machine.initramfs, hypervisor.program())))


def _identity(path: str) -> tuple[str, int, int]:
    """The file as it is now; size -1 if it is gone."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return path, -1, 0
    return path, found.st_size, found.st_mtime_ns


class Held:
    """A template that nobody removes until it was restored. A context."""

    def __init__(self, path: str = "", lock: int = -1) -> None:
        self.path = path
        """Its directory; "" for none."""
        self._lock = lock

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """It may be removed from here on."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def get(root: str, machine: Machine, release: str, milestone: Milestone) -> Held:
    """The template for ``machine``, which is booted if there is none.

    ``release`` is the kernel's. Who comes second while it is made waits for it.
    """
    key = key_of(machine)
    place = f"{root}/templates/{key}"
    while not (held := _hold(place)):
        os.makedirs(f"{root}/templates", 0o700, exist_ok=True)
        lock = os.open(f"{root}/templates/.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(place):
                _sweep_locked(root)
                _make_whole(place, machine, release, milestone)
        finally:
            os.close(lock)
    return held


def _hold(place: str) -> Held | None:
    """None when it is not there; whoever wants to remove it waits until we have let go."""
    try:
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    held = Held(place, lock)
    fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        if os.path.samestat(os.fstat(lock), os.stat(place)):
            return held
    except FileNotFoundError:
        pass  # it was removed while we waited
    held.release()
    return None


def _make_whole(place: str, machine: Machine, release: str, milestone: Milestone) -> None:
    """Makes the template beside ``place``; there it is whole or absent."""
    root, key = os.path.split(place)
    unfinished = f"{root}/{_UNFINISHED}{key}"
    try:
        _make(unfinished, machine, milestone)
        told = Template(
            key=key,
            kernel=release,
            memory=machine.memory,
            cpus=machine.cpus,
            accel=machine.accel,
            network=machine.network,
            created=timestamp(),
            files=_files(machine),
        )
        write_json(f"{unfinished}/template.json", told)
        os.rename(unfinished, place)
    except BaseException:
        remove_tree(unfinished)
        raise
    milestone("template", -1)


def sweep(root: str) -> list[str]:
    """Removes what killed makers left, and what nobody will ask for again; the paths.

    Not while somebody makes one.
    """
    try:
        lock = os.open(f"{root}/templates/.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _sweep_locked(root)
    except BlockingIOError:
        return []
    finally:
        os.close(lock)


def _sweep_locked(root: str) -> list[str]:
    """The caller holds the lock, so nobody is at what is not finished."""
    gone = [name for name in os.listdir(f"{root}/templates") if name.startswith(_UNFINISHED)]
    for name in gone:
        remove_tree(f"{root}/templates/{name}")
    for template, _ in templates(root):
        # Another QEMU, kernel or init has another key: this one is only in the way.
        if any(_identity(path) != (path, size, changed) for path, size, changed in template.files):
            gone.append(remove(root, template.key))
    return [f"{root}/templates/{name}" for name in gone]


def _make(place: str, machine: Machine, milestone: Milestone) -> None:
    """Boots ``machine`` in ``place`` until it is ready, and writes its state."""
    os.mkdir(place, 0o700)
    share.make_places(place, ())
    lines = hypervisor.Lines(with_monitor=True)
    wires = lines.tie(Wires(memory="memory", keeps_memory=True))
    steps = tuple(share.steps(place, (f"{place}/root",), (), own_network=not machine.network))
    with hypervisor.launch(place, steps, machine, wires, lines) as running:
        guest = Guest(running, milestone, lambda: (read(f"{place}/qemu.log") or b"").decode(errors="replace"))
        guest.wait_ready()
        qmp.write_state(_monitor(running), f"{place}/state")
    for name in ("root", "volumes", "agent.sock", "qemu.log"):
        remove_tree(f"{place}/{name}")


def restore(running: hypervisor.Hypervisor, template: Held) -> None:
    """Has a machine that was launched for it go on where ``template`` stopped, and releases that."""
    qmp.read_state(_monitor(running), f"{template.path}/state")
    template.release()


def _monitor(running: hypervisor.Hypervisor) -> socket.socket:
    assert running.lines.monitor, "it was launched with one"
    return running.lines.monitor


def templates(root: str) -> list[tuple[Template, int]]:
    """Every template, the newest first, with the bytes that it takes on disk."""
    found = []
    for key in _keys(root):
        place = f"{root}/templates/{key}"
        raw = read(f"{place}/template.json")
        try:
            size = sum(os.stat(f"{place}/{name}").st_blocks * 512 for name in ("memory", "state"))
        except FileNotFoundError:
            continue  # removed while we looked
        if raw:
            found.append((parse(raw, Template, f"{place}/template.json"), size))
    return sorted(found, key=lambda one: one[0].created, reverse=True)


def remove(root: str, wanted: str) -> str:
    """Removes the template by its key or the beginning of it; the key. Raises NotFound.

    One that is being restored is waited for: then the machine has it open, and goes on.
    """
    hits = [key for key in _keys(root) if wanted and key.startswith(wanted)]
    if len(hits) != 1:
        raise NotFound(
            f"no such template: {wanted}",
            "several begin so" if hits else "no key begins so",
            "minirun vm template ls lists them all",
        )
    # Out of sight first, under a name that no maker has: nobody begins with a half-removed one.
    place, gone = f"{root}/templates/{hits[0]}", f"{root}/templates/{_UNFINISHED}{hits[0]}-{os.getpid()}"
    try:
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(place, gone)
        finally:
            os.close(lock)
    except FileNotFoundError:
        return hits[0]  # somebody else was faster
    remove_tree(gone)
    return hits[0]


def _keys(root: str) -> list[str]:
    try:
        return [name for name in os.listdir(f"{root}/templates") if not name.startswith(".")]
    except FileNotFoundError:
        return []
