"""What is asked of a container that runs, where only its runtime can do it; and its end.

Layer ``container``. runc and crun make processes of this kernel: minirun's own exec
enters their namespaces, a signal reaches them by pid. gVisor's are unknown here, so
they are entered and signalled through ``runsc exec`` and ``runsc kill``.
"""

from __future__ import annotations

import os
import time

from minirun.container.oci import bundle, deeds, runtime
from minirun.container.state import Home, Record
from minirun.errors import Unsupported
from minirun.linux import process as processes
from minirun.linux import terminal
from minirun.linux.path import remove_tree
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from subprocess import Popen

    from minirun.spec import Process

#: Milliseconds without a byte after which it is asked whether the runtime has ended.
_LULL = 100


def is_elsewhere(record: Record) -> bool:
    """Whether its programs run in another kernel, so that no pid of ours names them."""
    return runtime.has_own_kernel(record)


def release(home: Home, record: Record) -> None:
    """The runtime ends what is left of the container and forgets it; gone already is fine."""
    deeds.delete(runtime.called(home.store, record))
    remove_tree(f"{home.runtime}/oci")
    remove_tree(bundle_of(home))


def bundle_of(home: Home) -> str:
    """The directory with config.json."""
    return f"{home.runtime}/bundle"


def kill(home: Home, record: Record, number: int) -> bool:
    """Sends a signal to a program that a pid of ours does not name; False if there is no such one."""
    if not is_elsewhere(record):
        return False
    words = runtime.called(home.store, record).words("kill")
    status, _ = deeds.call([*words, str(number)], "/", (), capture=True)
    return status == 0


def refuse(record: Record, wish: str) -> None:
    """Raises Unsupported for what has to be done from this kernel, to a container of another."""
    if is_elsewhere(record):
        name = os.path.basename(record.runtime)
        raise Unsupported(
            f"cannot {wish} container {record.name}",
            f"its programs run in a kernel of their own ({name}), which nobody enters from here",
            f"use `minirun exec {record.name}`, or another runtime",
        )


def refuse_for_guests(record: Record, wish: str) -> None:
    """``refuse``, but where the kernel is this container's alone, so that it stands for it."""
    if runtime.is_guest_of_sandbox(record):
        refuse(record, wish)


def execute(home: Home, record: Record, process: Process, streams: tuple[int, int, int]) -> tuple[int, int]:
    """``RUNTIME exec``: one more program, as a child of ours; its pid, and our end of its terminal or -1."""
    import json
    import tempfile

    called = runtime.called(home.store, record)
    deeds.clear(called.log)
    place = tempfile.mkdtemp(prefix="exec-", dir=home.runtime)
    with open(f"{place}/process.json", "w") as file:
        json.dump(bundle.process(process), file)
    master, slave = _terminal(process)
    pid = processes.fork(lambda: _carry(called, place, (slave,) * 3 if slave >= 0 else streams, slave >= 0))
    if slave >= 0:
        os.close(slave)
    try:
        _wait_for(pid, place, called)
    except BaseException:
        if master >= 0:
            os.close(master)
        raise
    return pid, master


def _carry(called: runtime.Called, place: str, streams: tuple[int, ...], leads: bool) -> int:
    """Runs the runtime, its output by pipes: gVisor has an idea of its own of where a file ends.

    Gives the exit code of the program. Signals that come here are for it, whose number in
    its own kernel the runtime writes to ``place``, a directory that goes at the end: if it
    is there, and that number is not, the program never ran.
    """
    import signal
    import subprocess

    def pass_on(number: int, _: object) -> None:
        with open(f"{place}/pid") as file:
            inside = file.read().strip()
        deeds.call([*called.words("kill", "--pid", inside), str(number)], "/", (), capture=True)

    words = called.words("exec", "--process", f"{place}/process.json", "--internal-pid-file", f"{place}/pid")
    output = [streams[1], streams[2]] if leads else [subprocess.PIPE, subprocess.PIPE]
    child = subprocess.Popen(
        words,
        stdin=streams[0],
        stdout=output[0],
        stderr=output[1],
        cwd="/",
        env=deeds.ENV,
        start_new_session=True,  # a Ctrl-C is for the program, not for who carries it there
    )
    for number in deeds.FORWARDED:
        signal.signal(number, pass_on)
    if child.stdout and child.stderr:
        _copy(child, {child.stdout.fileno(): streams[1], child.stderr.fileno(): streams[2]})
    status = child.wait()
    if os.path.exists(f"{place}/pid"):
        remove_tree(place)
    return status if status >= 0 else 128 - status


def _copy(child: Popen[bytes], ways: dict[int, int]) -> None:
    """Carries bytes from each key to its value, until all have ended, or ``child`` has and is silent."""
    import select

    poll = select.poll()
    for source in ways:
        poll.register(source, select.POLLIN)
    while ways:
        ready = poll.poll(_LULL)
        if not ready and child.poll() is not None:
            return  # its descendants may hold the pipes for ever
        for source, _ in ready:
            if not _carry_some(source, ways[source]):
                poll.unregister(source)
                del ways[source]


def _carry_some(source: int, target: int) -> bool:
    """False at the end, or when nobody reads any more."""
    data = os.read(source, 1 << 16)
    try:
        while data:
            data = data[os.write(target, data) :]
            if not data:
                return True
    except BrokenPipeError:
        pass
    return False


def _terminal(process: Process) -> tuple[int, int]:
    """Both ends of a terminal of ours, which the runtime carries into its kernel; -1 without one."""
    if not process.terminal:
        return -1, -1
    master, slave = os.openpty()
    if box := process.consoleSize:
        terminal.set_size(master, box.height, box.width)
    return master, slave


def _wait_for(pid: int, place: str, called: runtime.Called) -> None:
    """Until the program runs, or has run, or the runtime has said why it does not."""
    peek = os.WEXITED | os.WNOHANG | os.WNOWAIT  # whoever asked waits for it himself
    while not os.path.exists(f"{place}/pid"):
        if ended := os.waitid(os.P_PID, pid, peek):
            if not os.path.isdir(place):
                return  # it was quicker than our look: _carry has cleared up after it
            os.waitpid(pid, 0)
            remove_tree(place)
            what = f"{called.runtime.name} cannot run that in the container"
            raise deeds.failure(called, what, ended.si_status)
        time.sleep(0.002)  # the file is all that the runtime tells of it
