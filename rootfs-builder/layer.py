"""A directory tree as an image layer: a tar with the same bytes each time.

What would differ from one build to the next is taken out: entries are sorted,
no file is younger than the recipe's date, users have numbers and no names. On
a base only the difference is packed, and what the base has too much is covered
by a whiteout, an empty file ``.wh.NAME`` (OCI image-spec, layer.md).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

#: Filled by the runtime at each start: what a build left there is no part of the image.
MOUNTPOINTS = ("dev", "proc", "sys", "run")


class Entry(NamedTuple):
    """One file of a tree: its tar header, and the digest of a regular file's bytes."""

    header: tarfile.TarInfo
    digest: str

    def same_as(self, other: Entry) -> bool:
        """All but the time: what a build touched without changing it has not changed."""
        fields = ("type", "mode", "uid", "gid", "linkname", "devmajor", "devminor")
        equal = (getattr(self.header, field) == getattr(other.header, field) for field in fields)
        return self.digest == other.digest and all(equal)


def pack(rootfs: Path, archive: Path, date: int, below: Iterable[Path] = ()) -> None:
    """Writes ``rootfs``, or what it adds to the layers ``below``, to the tar ``archive``."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        tree = {path: describe(tar, rootfs, path, date) for path in walk(rootfs)}
        base = stack(below)
        headers = [tree[path].header for path in difference(tree, base)]
        headers += [whiteout(path, date) for path in removed(tree, base)]
        for header in sorted(headers, key=lambda header: header.name.split("/")):
            if header.size:
                with (rootfs / header.name).open("rb") as content:
                    tar.addfile(header, content)
            else:
                tar.addfile(header)


def walk(rootfs: Path, directory: str = "") -> Iterator[str]:
    """The path of every file below ``rootfs``, a directory before what is in it."""
    for name in sorted(os.listdir(rootfs / directory)):
        path = os.path.join(directory, name)
        yield path
        if (rootfs / path).is_dir() and not (rootfs / path).is_symlink() and path not in MOUNTPOINTS:
            yield from walk(rootfs, path)


def describe(tar: tarfile.TarFile, rootfs: Path, path: str, date: int) -> Entry:
    """The entry of one file; a second name of the same inode becomes a hard link."""
    header = tar.gettarinfo(rootfs / path, arcname=path)
    header.mode &= 0o7777
    header.uname = header.gname = ""
    header.mtime = min(int(header.mtime), date)
    with contextlib.suppress(OSError):  # ENODATA: most files have none
        capability = os.getxattr(rootfs / path, "security.capability", follow_symlinks=False)
        header.pax_headers["SCHILY.xattr.security.capability"] = capability.decode("utf-8", "surrogateescape")
    return Entry(header, hashlib.sha256((rootfs / path).read_bytes()).hexdigest() if header.isreg() else "")


def stack(layers: Iterable[Path]) -> dict[str, Entry]:
    """What one sees who looks down on ``layers``, the lowest of them first."""
    seen: dict[str, Entry] = {}
    for archive in layers:
        with tarfile.open(archive) as tar:
            for header in tar:
                directory, name = os.path.split(header.name)
                if name.startswith(".wh."):
                    hidden = os.path.join(directory, name.removeprefix(".wh."))
                    seen = {path: seen[path] for path in seen if not f"{path}/".startswith(f"{hidden}/")}
                    continue
                content = tar.extractfile(header) if header.isreg() else None
                digest = hashlib.sha256(content.read()).hexdigest() if content else ""
                seen[header.name] = Entry(header, digest)
    return seen


def difference(tree: dict[str, Entry], base: dict[str, Entry]) -> set[str]:
    """The paths that are new or changed, and the directories above them."""
    chosen = {path for path, entry in tree.items() if path not in base or not entry.same_as(base[path])}
    # All names of one file stay in one layer: a hard link cannot point into another.
    links = [(path, entry.header.linkname) for path, entry in tree.items() if entry.header.islnk()]
    files = {first for path, first in links if path in chosen or first in chosen}
    chosen |= files | {path for path, first in links if first in files}
    return chosen | {str(above) for path in chosen for above in Path(path).parents if str(above) != "."}


def removed(tree: dict[str, Entry], base: dict[str, Entry]) -> list[str]:
    """What the base has and the tree has not, without what lies below such a directory."""
    return [
        path
        for path in base
        if path not in tree and (os.path.dirname(path) == "" or _is_directory(tree, os.path.dirname(path)))
    ]


def whiteout(path: str, date: int) -> tarfile.TarInfo:
    """The entry that hides ``path`` of the layers below."""
    directory, name = os.path.split(path)
    header = tarfile.TarInfo(os.path.join(directory, f".wh.{name}"))
    header.mtime = date
    return header


def _is_directory(tree: dict[str, Entry], path: str) -> bool:
    return path in tree and tree[path].header.isdir()
