"""Looking after a pod: whoever meets one for which something is due becomes its supervisor.

Layer: pod. There is no daemon. ``pod create``, the monitor of a container that has
ended (after.py), ``gc``, any command on the pod: whichever comes finds out whether
the pod has a supervisor, and is it otherwise. One at a time: it holds
supervisor.lock. The others tell it by its socket that something has happened.

A supervisor goes away when only programs are left that need nobody (a pod without
probes, most of the time), and may be killed at any moment: the next one sees what
it saw. What is to be waited for in the foreground (``until``) is, and the rest is
left to a process of its own. Read ``supervisor.py`` next, for what it does.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import os
import sys
import time

from minirun.container.state import Store
from minirun.errors import NotFound
from minirun.linux import process
from minirun.linux.path import remove_tree
from minirun.pod.locks import PodLock
from minirun.pod.state import PodHome, Pods
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.decide import Decision
    from minirun.pod.manifest.types import PodSpec
    from minirun.pod.observed import Observed
    from minirun.pod.supervisor import Until

#: While a supervisor is on its way out, or about to listen; seconds.
_MOMENT = 0.002


def tend(home: PodHome, until: Until | None = None) -> bool:
    """Sees to it that what is due for the pod is done, here or by the supervisor that it has.

    With ``until`` this waits, in either case, until that is true of the pod, or
    nothing more will happen by itself; whether it became true. What is left to do
    then is left to a process of its own. Raises NotFound when the pod goes.
    """
    lock = PodLock(home, "supervisor.lock")
    while True:
        if lock.acquire(wait=False):
            try:
                if not home.exists():
                    _leave_nothing(home)
                    return False
                reached, unfinished = _run(home, until)
            finally:
                lock.release()
            if unfinished:
                spawn(home)
            return reached
        if not os.path.isdir(home.data):
            return False
        if not poke(home):
            time.sleep(_MOMENT)  # the lock is free in a moment
            continue
        if until is None:
            return True
        if until(*_now(home)):
            return True
        time.sleep(0.01)  # its state is files of several writers: there is nothing to wait on


def _leave_nothing(home: PodHome) -> None:
    """Of a pod that is gone there is not even the lock; a ruin is left to ``gc``."""
    if not os.path.isdir(home.data):
        remove_tree(home.runtime)


def _run(home: PodHome, until: Until | None) -> tuple[bool, bool]:
    from minirun.pod.supervisor import Supervisor  # who only pokes another one does not pay for it

    return Supervisor(home).run(until)


def _now(home: PodHome) -> tuple[PodSpec, Observed, Decision]:
    """The pod as it is, and what follows from that."""
    from minirun.pod.decide import decide
    from minirun.pod.observe import look, spec_of

    progress = home.progress()
    spec, seen = spec_of(home, progress), look(home, progress.seen)
    return spec, seen, decide(spec, seen, time.time())


def resume(home: PodHome) -> bool:
    """Gives the pod a supervisor if something is due and it has none; whether it got one.

    The last one was killed, or the machine was restarted.
    """
    lock = PodLock(home, "supervisor.lock")
    if not home.exists() or not lock.acquire(wait=False):
        return False
    from minirun.pod.supervisor import is_needed

    try:
        needed = is_needed(*_now(home)) or home.has_wishes()
    except NotFound:
        return False  # removed meanwhile
    finally:
        lock.release()
    if needed:
        spawn(home)
    return needed


def poke(home: PodHome) -> bool:
    """Tells the pod's supervisor to look again; False if there is none that listens."""
    try:
        place = os.open(home.runtime, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        sock.sendto(b"!", f"/proc/self/fd/{place}/supervisor.sock")
    except BlockingIOError:
        return True  # it has enough to read
    except OSError:
        return False
    finally:
        sock.close()
        os.close(place)
    return True


def spawn(home: PodHome) -> None:
    """A supervisor in a process of its own, which nobody waits for."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from minirun.pod import supervise; supervise.main()"
    )
    words = [sys.executable, "-I", "-c", script, package, home.store.root, home.store.state, home.uid]
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]

    def beget() -> None:
        os.posix_spawn(sys.executable, words, os.environ, file_actions=null, setsid=True)

    # Twice, so that it is nobody's child.
    os.waitpid(process.fork(beget), 0)


def main() -> None:
    """Arguments: PACKAGE ROOT STATE UID, as ``spawn`` passes them."""
    from minirun.linux import credentials

    root, state, uid = sys.argv[2:5]
    home = Pods(store=Store(root=root, state=state)).home(uid)
    credentials.set_name("minirun:[pod]")
    os.chdir("/")
    try:
        tend(home)
    except NotFound:
        return
