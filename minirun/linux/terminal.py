"""Pseudoterminals: a master that a program watches, a slave that looks like a tty.

Layer ``linux``. See pty(7), ioctl_tty(2).
"""

from __future__ import annotations

import fcntl
import os
import struct

from minirun.steps import syscall

_TIOCSCTTY = 0x540E
_TIOCSWINSZ = 0x5414
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441


@syscall("open", manual="pty(7)", show=lambda ptmx: f'open("{ptmx}", O_RDWR|O_NOCTTY|O_CLOEXEC)')
def open_master(ptmx: str) -> int:
    """Opens a new pseudoterminal's master and unlocks its slave; the descriptor."""
    master = os.open(ptmx, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    return master


@syscall("ioctl", manual="ioctl_tty(2)", show=lambda master: f"ioctl({master}, TIOCGPTPEER, O_RDWR|O_NOCTTY)")
def open_slave(master: int) -> int:
    """The other end of ``master``, without a path that anyone could replace (Linux 4.13)."""
    return fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


@syscall("ioctl", manual="ioctl_tty(2)", show=lambda fd: f"ioctl({fd}, TIOCSCTTY)")
def control(fd: int) -> None:
    """Makes the terminal ``fd`` the controlling one of the caller's session."""
    fcntl.ioctl(fd, _TIOCSCTTY, 0)


def _show_size(fd: object, rows: int, columns: int) -> str:
    return f"ioctl({fd}, TIOCSWINSZ, {{ws_row={rows}, ws_col={columns}}})"


@syscall("ioctl", manual="ioctl_tty(2)", show=_show_size)
def set_size(fd: int, rows: int, columns: int) -> None:
    """Sets the window size in characters; the foreground job gets SIGWINCH."""
    fcntl.ioctl(fd, _TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
