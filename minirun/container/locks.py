"""Two locks per container, both flock(2): they vanish with their holder.

Layer ``container``. ``lock`` is held for the length of one operation (start,
rm ...), so two commands on one container take turns. ``monitor.lock`` is held
by whoever looks after the container: first its creator, then, through exec,
the monitor. A container whose monitor.lock is free and which has not ended is
half-made or abandoned, and ``gc.py`` may sweep it.

A lock's file comes after its directory and goes before it. So that no sweep
takes the moment between for a ruin, whoever makes or removes them stands in the
``Doorway`` meanwhile, as many as like; a sweep that asks for a lock wants it
for itself. It is the only lock that is global, and held for microseconds.

Who holds ``lock`` may try monitor.lock, and does not wait for it: the removal
that follows the end of a --rm container holds monitor.lock and waits for
``lock``. (One exception: a creation that failed waits for its own host side,
which wants no lock.)
"""

from __future__ import annotations

import fcntl
import os

from minirun.container.state import Home, Store
from minirun.errors import NotFound
from minirun.linux.path import remove_tree


class Lock:
    """``with Lock(home):`` waits its turn for an operation on one container.

    Raises NotFound when the container was removed while this waited.
    """

    def __init__(self, home: Home, name: str = "lock") -> None:
        self.home = home
        self.path = f"{home.runtime}/{name}"
        self.fd = -1

    def __enter__(self) -> Lock:
        if self.acquire(wait=True):
            if self.home.exists():
                return self
            if not os.path.isdir(self.home.data):
                remove_tree(self.home.runtime)  # removed between our look and our mkdir
            self.release()
        raise NotFound(
            f"container {self.home.id[:12]} is gone",
            "somebody removed it meanwhile",
            "minirun ps -a lists what is there",
        )

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, wait: bool, make: bool = False) -> bool:
        """Takes the lock; False when it is held (and not ``wait``) or the container is gone.

        ``make`` makes the file also for what does not exist (yet, or any more).
        """
        while True:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o600)
            except FileNotFoundError:
                if not self.home.exists():
                    return False
                os.makedirs(self.home.runtime, 0o700, exist_ok=True)  # gone at the last reboot
                make = True
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                os.close(fd)
                return False
            if self._is_current(fd):
                self.fd = fd
                return True
            # Removed (and perhaps made again) while we waited: try what is there now.
            os.close(fd)

    def release(self) -> None:
        """Gives it back. Only this descriptor: one inherited by a child keeps the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self.path))
        except FileNotFoundError:
            return False


class Doorway:
    """Where locks come and go: ``with Doorway(store):`` to make or remove one."""

    def __init__(self, store: Store, alone: bool = False) -> None:
        self.place = f"{store.state}/containers"
        self.how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        self.fd = -1

    def __enter__(self) -> Doorway:
        self.fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self.fd, self.how)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def is_looked_after(home: Home) -> bool:
    """Whether a creator or a monitor is alive behind the container."""
    lock = Lock(home, "monitor.lock")
    if not os.path.exists(lock.path):
        return False
    if lock.acquire(wait=False):
        lock.release()
        return False
    return os.path.exists(lock.path)
