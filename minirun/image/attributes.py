"""Whose a file is, what it may, and when it changed: from a tar's header to the disk.

Layer ``image``. Below ``unpack.py``. Extended attributes come as pax records
``SCHILY.xattr.NAME``; see xattr(7), capabilities(7) and acl(5).
"""

from __future__ import annotations

import os

from minirun.image.streams import Malformed
from minirun.image.tree import raw_name
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from tarfile import TarInfo

#: Extended attributes that are part of a file. The others belong to a host: what
#: its SELinux or IMA says of the file, or what its overlayfs does with it, and
#: overlayfs hides its own from everybody inside the mount.
_KEPT = ("security.capability", "system.posix_acl_access", "system.posix_acl_default", "user.")
_PAX_ATTRIBUTE = "SCHILY.xattr."


def set_attributes(fd: int, entry: TarInfo) -> None:
    """Owner, mode and extended attributes of an open file."""
    # The order matters: chown(2) clears set-user-ID and security.capability.
    os.fchown(fd, *owner(entry))
    os.fchmod(fd, entry.mode & 0o7777)
    if entry.pax_headers:
        for name, value in kept_attributes(entry):
            os.setxattr(fd, name, value)


def owner(entry: TarInfo) -> tuple[int, int]:
    """Its uid and gid."""
    # 0xFFFFFFFF is -1: chown(2) would leave the owner as it is.
    if not (0 <= entry.uid < 0xFFFFFFFF and 0 <= entry.gid < 0xFFFFFFFF):
        raise Malformed(f"uid {entry.uid} or gid {entry.gid} is out of range")
    return entry.uid, entry.gid


def kept_attributes(entry: TarInfo) -> list[tuple[str, bytes]]:
    """Its extended attributes that a layer keeps."""
    found = []
    for key, value in entry.pax_headers.items():
        name = key.removeprefix(_PAX_ATTRIBUTE)
        if name != key and name.startswith(_KEPT) and not name.startswith("user.overlay."):
            found.append((name, raw_name(value)))
    return found


def mtime(entry: TarInfo) -> int:
    """The modification time in nanoseconds, exactly, as pax writes it: ``1700000000.123456789``."""
    text = entry.pax_headers.get("mtime")
    if text is None:
        return int(entry.mtime) * 1_000_000_000
    whole, _, fraction = text.removeprefix("-").partition(".")
    moment = int(whole or "0") * 1_000_000_000 + int(f"{fraction:0<9.9}")
    return -moment if text.startswith("-") else moment
