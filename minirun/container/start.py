"""start: opens the gate, or makes an ended container's process anew.

Layer ``container``. The caller holds no lock; see ``create.py`` for what a
creation is and ``attach.py`` for what follows.
"""

from __future__ import annotations

import os
import select

from minirun.container import channel as channels
from minirun.container import create, monitor, name_files
from minirun.container.channel import Channel
from minirun.container.locks import Lock, is_looked_after
from minirun.container.state import Home, Record
from minirun.errors import Conflict, MinirunError
from minirun.isolation import apparmor, privileges, rlimits
from minirun.isolation.cgroups.layout import layout
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.spec import Spec
    from minirun.steps import Step


def launch(
    home: Home,
    record: Record,
    lock: Lock,
    autostart: bool,
    greeting: tuple[bytes, ...] = (),
    again: bool = False,
    trace: Callable[..., None] | None = None,
    fault: Callable[[int, str], None] | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> tuple[Channel, int]:
    """Creates the container's process; a client of its monitor, and its pid.

    ``lock`` is the container's, held by the caller. ``meanwhile`` is done
    while the other processes do the work, on another CPU: it costs no time.
    """
    request = create.Launch(
        home=home,
        record=record,
        plan=plan_of(home, record),
        lock=lock,
        autostart=autostart,
        greeting=greeting,
        again=again,
        trace=trace,
        fault=fault,
        replan=lambda: plan_of(home, record),
    )
    client = create.create(request)
    try:
        if meanwhile:
            meanwhile()
        return client, create.wait_created(client)
    except BaseException:
        client.close()  # interrupted: by this the host side sees that nobody waits any more
        raise


def plan_of(home: Home, record: Record) -> list[Step]:
    """The steps of this container on this host."""
    privileges.check(record.spec)
    apparmor.check(record.spec)
    rlimits.check(record.spec)
    wired = None
    if record.spec.endpoints:
        from minirun.container import wiring

        wired = wiring.wiring_of(home, record)
    if record.runtime:
        from minirun.container import oci  # another program makes it

        return oci.plan_of(home, record, wired)
    from minirun.container.plan import plan

    return plan(record.spec, layout(), f"{home.store.root}/seccomp", wired)


def start(home: Home, greeting: tuple[bytes, ...] = ()) -> tuple[Channel, int]:
    """Starts a created or ended container; a client of its monitor, and its pid.

    ``greeting`` is what the client says before the gate opens (attach to the
    streams). The next packet to come is STARTED or FAILED. Raises Conflict when
    it runs already, and whatever kept the program from starting.
    """
    from minirun.container import attach, delete

    # The lock is kept until the monitor has opened the gate: of several who
    # start the container at once one does it, and the others find it running.
    while True:
        with Lock(home) as lock:
            record = home.record()
            status = home.status()
            if status == "running":
                raise Conflict(
                    f"container {record.name} cannot be started",
                    f"it is {status}",
                    f"minirun exec {record.name} runs a program in it; minirun stop ends it",
                )
            client = attach.connect(home) if status == "created" else None
            if client:
                for packet in (*greeting, monitor.OPEN_GATE):
                    client.send(packet)
                pid = home.live_pid()
                _wait_for_word(client)
                return client, pid
            if not is_looked_after(home):
                delete.end(record)  # a start that was cut off may have left cgroups
                if record.runtime:
                    from minirun.container.oci import guest

                    guest.release(home, record)
                if record.lenders:
                    record = replace(record, spec=_renewed(home, record))
                if record.spec.endpoints:
                    from minirun.container import wiring

                    record = wiring.rewire(home, record)
                    home.write_record(record)
                else:
                    name_files.write_anew(home, record)
                client, pid = launch(home, record, lock, autostart=True, greeting=greeting, again=True)
                _wait_for_word(client)
                return client, pid
        wait_for_monitor(home)


def _renewed(home: Home, record: Record) -> Spec:
    from minirun.container import prepare, shared

    return shared.renewed(record, lambda id: prepare.pid_of(home.store, id))


def _wait_for_word(client: Channel) -> None:
    """Waits until STARTED or FAILED is there to be read, or the monitor is gone."""
    poll = select.poll()
    poll.register(client.fileno(), select.POLLIN)
    poll.poll()


def wait_started(client: Channel) -> None:
    """Waits until the program runs. Raises what kept it from running."""
    phase, payload, _ = client.receive()
    channels.raise_if_failed(phase, payload)
    if phase == monitor.EXITED:
        from minirun.container.attach import decode_exit

        decode_exit(payload)  # raises what is in it
        raise MinirunError(
            "the container ended before its program started",
            "somebody killed it at the gate",
            "start it again",
        )
    if phase != monitor.STARTED:
        raise MinirunError("the container's monitor died", "", "minirun gc cleans up after it")


def wait_for_monitor(home: Home) -> None:
    """Waits until the monitor of an ended container has let go of it.

    Without the container's lock: what follows an end (--rm) has to take that first.
    """
    lock = Lock(home, "monitor.lock")
    if os.path.exists(lock.path) and lock.acquire(wait=True):
        lock.release()
