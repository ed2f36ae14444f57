"""kill and stop: signals for the container's first process.

Layer ``container``. A pidfd names the process, so a signal never reaches
whoever got the same number later (pidfd_open(2)).
"""

from __future__ import annotations

import errno
import os

from minirun.container import wait
from minirun.container.signals import signal
from minirun.container.state import Home
from minirun.errors import Conflict, MinirunError
from minirun.isolation import cgroups
from minirun.linux import process


def kill(home: Home, number: int) -> None:
    """Sends signal ``number``. Raises Conflict when the container does not run."""
    if home.status() != "running" or not _send(home, number):
        record = home.record()
        raise Conflict(
            f"cannot kill container {record.name}",
            f"it is {home.status()}, so no program of its own runs",
            "minirun ps -a shows the states",
        )


def stop(home: Home, seconds: float | None = None, number: int | None = None) -> None:
    """Sends the stop signal, waits ``seconds``, then SIGKILL; ended already is fine.

    None takes the container's own time and signal; negative seconds wait for ever.
    """
    record = home.record()
    if home.status() == "created":
        return  # nothing runs in it
    patience = record.stopTimeout if seconds is None else seconds
    # The process is watched, not the monitor: that one has places for some clients only.
    sent = _send(home, record.stopSignal if number is None else number)
    if sent and not wait.dies_within(home, None if patience < 0 else patience):
        end(home)
        wait.dies_within(home, None)
    wait.until_recorded(home)


def end(home: Home) -> None:
    """SIGKILL for the first process and for whatever else is in its cgroups."""
    record = home.record()
    _send(home, signal.SIGKILL)
    cgroups.kill(record.cgroups)


def kill_first(home: Home) -> None:
    """SIGKILL for the first process, whatever the record says; dead already is fine."""
    pid = home.live_pid()
    if pid:
        process.kill_and_wait(pid)


def _send(home: Home, number: int) -> bool:
    pid = home.live_pid()
    if not pid:
        return False
    try:
        pidfd = process.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if home.live_pid() != pid:
            return False  # it died, and the number may be another's by now
        record = home.record()  # before: with --rm there may be none afterwards
        if record.runtime:
            from minirun.container.oci import guest

            if guest.kill(home, record, number):
                return True
        process.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        _without_signal(home, number, error)
    finally:
        os.close(pidfd)
    # A frozen process gets its signals when it thaws.
    cgroups.thaw(record.cgroups)
    return True


def _without_signal(home: Home, number: int, refusal: PermissionError) -> None:
    """What to do where its AppArmor profile takes no signals: cgroup.kill asks no profile."""
    if refusal.errno != errno.EACCES:
        raise refusal  # EPERM: it is another user's, and the caller is not root
    record = home.record()
    if number == signal.SIGKILL and record.killFile.endswith("/cgroup.kill"):
        cgroups.kill(record.cgroups)
        return
    raise MinirunError(
        f"cannot send signal {number} to container {record.name}",
        f"its AppArmor profile {record.spec.process.apparmorProfile!r} does not let it receive that",
        "add `signal (receive) peer=unconfined,` to the profile, and load it with apparmor_parser -r",
    ) from refusal
