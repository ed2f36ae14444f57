"""A kernel in a file that somebody installed or built, made ready for QEMU.

Layer ``vm``. What has to be unpacked is kept in ROOT/kernels/.cache/SHA256/, by
the sha256 of the file, so that it is unpacked once, and anew when the host's
kernel was updated. Read ``bzimage.py`` next.
"""

from __future__ import annotations

import glob
import os
import stat

from minirun.errors import InvalidInput, MinirunError, Unsupported, hint, reason
from minirun.image.temporary import TemporaryDirectory
from minirun.linux.path import remove_tree
from minirun.vm import bzimage, vmlinux


def release(path: str) -> str:
    """What `uname -r` will say. Raises InvalidInput, and Unsupported for another architecture."""
    head = _read(path, bzimage.HEAD)
    return bzimage.release(_read(path) if head.startswith(b"\x7fELF") else head, path)


def bootable(root: str, path: str, configuration: str = "") -> str:
    """The file to boot for the kernel in ``path``: unpacked, if QEMU can enter it so.

    ``configuration`` is kept beside it. Raises InvalidInput or Unsupported for
    what cannot be booted, MinirunError where it cannot be unpacked.
    """
    import hashlib

    packed = _read(path)
    place = f"{root}/kernels/.cache/{hashlib.sha256(packed).hexdigest()}"
    if os.path.exists(f"{place}/vmlinux"):
        return f"{place}/vmlinux"
    elf = bzimage.unpack(packed, path)
    if not vmlinux.has_pvh_entry(elf):
        if elf is not packed:
            return path  # QEMU takes a bzImage too; the guest unpacks it, slowly
        raise Unsupported(
            f"the kernel {path} cannot be booted",
            "QEMU enters an ELF file by its PVH note, and it has none",
            "give the vmlinuz or bzImage instead, or build it with CONFIG_PVH=y",
        )
    if elf is packed:
        return path
    try:
        _keep(root, place, {"vmlinux": elf, "config": configuration.encode(), "source": os.fsencode(path)})
    except OSError as error:
        raise MinirunError(f"cannot unpack the kernel {path}", reason(error), hint(error)) from error
    return f"{place}/vmlinux"


def _keep(root: str, place: str, files: dict[str, bytes]) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    temporary = TemporaryDirectory(f"{root}/kernels")
    try:
        os.mkdir(temporary.path("unpacked"))
        for name, data in files.items():
            with open(temporary.path(f"unpacked/{name}"), "wb") as file:
                file.write(data)
        give(temporary.path("unpacked"), place)
    finally:
        temporary.remove()


def give(directory: str, place: str) -> None:
    """Renames a finished ``directory``; where another has made the same meanwhile, that one stays."""
    try:
        os.rename(directory, place)
    except OSError:
        if not os.path.exists(f"{place}/vmlinux"):
            raise


def sweep(root: str) -> list[str]:
    """Removes what was unpacked from files that are no longer there; the paths."""
    removed = []
    for path in glob.glob(f"{glob.escape(root)}/kernels/.cache/*/source"):
        try:
            with open(path, "rb") as file:
                gone = not os.path.exists(file.read())
        except FileNotFoundError:
            continue  # another sweep was here
        if gone:
            removed.append(os.path.dirname(path))
            remove_tree(os.path.dirname(path))
    return removed


def _read(path: str, size: int = -1) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InvalidInput(f"{path} is no kernel", "it is no regular file", vmlinux.GIVE)
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise InvalidInput(f"cannot read the kernel {path}", reason(error), vmlinux.GIVE) from error
