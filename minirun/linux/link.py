"""Network interfaces, as far as a container without a network needs them.

Layer ``linux``. One ioctl, see netdevice(7).
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import fcntl
import struct

from minirun.steps import syscall

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


@syscall("ioctl", manual="netdevice(7)", show=lambda name: f'ioctl(SIOCSIFFLAGS, "{name}", IFF_UP)')
def up(name: str) -> None:
    """Raises the interface ``name`` in the caller's network namespace."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        # struct ifreq: char name[16], then short flags
        request = struct.pack("16sh14x", name.encode(), 0)
        answer = fcntl.ioctl(sock.fileno(), _SIOCGIFFLAGS, request)
        flags = struct.unpack("16sh14x", answer)[1] | _IFF_UP
        fcntl.ioctl(sock.fileno(), _SIOCSIFFLAGS, struct.pack("16sh14x", name.encode(), flags))
    finally:
        sock.close()
