"""Two locks per pod, both flock(2): they vanish with their holder.

Layer: pod. ``lock`` is held for as long as wishes are read or written;
``supervisor.lock`` by the process that looks after the pod: first its creator, in the
end who removes it. A pod whose supervisor.lock is free has nobody at work on it, and
``gc.py`` draws its conclusions: so no child may have a copy of it. Read ``state.py``
first, ``supervise.py`` next.
"""

from __future__ import annotations

import fcntl
import os

from minirun.errors import NotFound
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.state import PodHome

#: Descriptors of locks and of the supervisor's socket: by these it is seen whether somebody is at work.
_own: set[int] = set()


def mine_alone(fd: int) -> int:
    """``fd`` is not inherited by a forked child, which outlives this process by a moment, or by days."""
    _own.add(fd)
    return fd


def close_mine(fd: int) -> None:
    """Closes what ``mine_alone`` was told of."""
    _own.discard(fd)
    os.close(fd)


class Alone:
    """``with Alone(fd, ...):`` so it is with descriptors that somebody else opens and closes."""

    def __init__(self, *fds: int) -> None:
        self.fds = fds

    def __enter__(self) -> None:
        _own.update(self.fds)

    def __exit__(self, *_: object) -> None:
        _own.difference_update(self.fds)


def _let_go() -> None:
    for fd in _own:
        os.close(fd)
    _own.clear()


os.register_at_fork(after_in_child=_let_go)


class PodLock:
    """``with PodLock(home):`` one at a time reads and writes the pod's progress.

    Raises NotFound when the pod was removed while this waited.
    """

    def __init__(self, home: PodHome, name: str = "lock") -> None:
        self.home = home
        self.path = f"{home.runtime}/{name}"
        self.fd = -1

    def __enter__(self) -> PodLock:
        if not self.acquire(wait=True) or not self.home.exists():
            self.release()
            raise NotFound(
                f"pod {self.home.uid} is gone",
                "somebody removed it meanwhile",
                "minirun pod ps lists what is there",
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, wait: bool, make: bool = False) -> bool:
        """Takes the lock; False when it is held (and not ``wait``) or the pod is gone.

        ``make`` makes its directory also for what does not exist yet.
        """
        while True:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                if not make and not os.path.isdir(self.home.data):
                    return False
                os.makedirs(self.home.runtime, 0o700, exist_ok=True)  # gone at the last reboot
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                if os.path.samestat(os.fstat(fd), os.stat(self.path)):
                    self.fd = mine_alone(fd)
                    return True
            except BlockingIOError:
                os.close(fd)
                return False
            except FileNotFoundError:
                pass  # removed while we waited
            os.close(fd)

    def release(self) -> None:
        """Gives it back."""
        if self.fd >= 0:
            close_mine(self.fd)
            self.fd = -1
