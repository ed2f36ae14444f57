"""Our terminal and a pseudoterminal of a container's, tied together.

Layer ``container``. For ``exec -t``, where no monitor stands in between.
"""

from __future__ import annotations

import os
import select

from minirun.container.detach import Detached, Watch
from minirun.container.signals import signal
from minirun.linux import terminal

_CHUNK = 1 << 14


def relay(master: int, stdin: bool) -> None:
    """Copies both ways until the program has closed its end; our terminal goes raw.

    Raises Detached when the user wants to leave before that.
    """
    saved = raw() if stdin and os.isatty(0) else None
    before = signal.signal(signal.SIGWINCH, lambda *_: _resize(master))
    _resize(master)  # it may have changed since the program was told
    try:
        _copy(master, stdin)
    finally:
        signal.signal(signal.SIGWINCH, before)
        if saved is not None:
            restore(saved)


def drain(master: int) -> None:
    """Reads what the program writes, for nobody, until it has closed its end."""
    while _read(master):
        pass


def raw() -> list[object]:
    """Makes our terminal raw: every key goes through as it is; what to ``restore``."""
    import termios
    import tty

    saved: list[object] = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)  # what is typed already is for the program: not flushed
    return saved


def restore(saved: list[object]) -> None:
    """Gives our terminal back its ways."""
    import termios

    termios.tcsetattr(0, termios.TCSADRAIN, saved)  # type: ignore[arg-type]  # what tcgetattr gave


def _copy(master: int, stdin: bool) -> None:
    poll = select.poll()
    poll.register(master, select.POLLIN)
    if stdin:
        poll.register(0, select.POLLIN)
    keys = Watch()
    while True:
        for fd, _ in poll.poll():
            data = _read(fd)
            if fd == master:
                if not data:
                    return
                _write(1, data)
            elif data:
                try:
                    _write(master, keys.passed(data))
                except Detached as left:
                    _write(master, left.typed)
                    raise
            else:
                _write(master, b"\x04")  # end of input, as a terminal spells it
                poll.unregister(0)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK)
    except OSError:
        return b""  # EIO: the other end is closed


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _resize(master: int) -> None:
    for fd in range(3):
        try:
            size = os.get_terminal_size(fd)
        except OSError:
            continue
        terminal.set_size(master, size.lines, size.columns)
        return
