"""The doctor on storage: overlay and id-mapped mounts, tried below minirun's root."""

from __future__ import annotations

import os
import tempfile

from minirun.container.doctor.finding import Finding, existing, fail, is_root, ok, takes_root, warn
from minirun.linux.mount import MountFlag, mount
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.trial import TrialFailed, in_child, map_ids_of
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


def overlay(root: str, state: str) -> Iterator[Finding]:
    """A mount of two layers on the file system that the images are on, and a write."""
    place = existing(root)
    for name, option, say, lack in (
        ("overlay", "", fail, "use ext4, xfs or btrfs for --root, or load the module overlay"),
        ("overlay volatile", ",volatile", warn, "boot a kernel of 5.10 or newer"),
    ):
        if not is_root():
            yield takes_root(name)
            continue
        with tempfile.TemporaryDirectory(prefix=".minirun-doctor-", dir=place) as folder:
            try:
                in_child(lambda option=option, folder=folder: _try_overlay(folder, option))  # type: ignore[misc]  # bound now
            except TrialFailed as error:
                yield say(name, f"cannot be mounted below {place}: {error}", lack)
            else:
                yield ok(name, f"mounted and written to, below {place}")


def _try_overlay(folder: str, option: str) -> None:
    for name in ("lower", "upper", "work", "merged"):
        os.mkdir(f"{folder}/{name}")
    with open(f"{folder}/lower/file", "w") as file:
        file.write("below")
    unshare(CloneFlag.NEWNS)
    mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
    data = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work{option}"
    mount("overlay", f"{folder}/merged", "overlay", MountFlag(0), data)
    with open(f"{folder}/merged/file", "a") as file:
        file.write(" and above")
    with open(f"{folder}/upper/file") as file:
        if file.read() != "below and above":
            raise OSError("a write did not reach the upper directory")


def idmapped(root: str, state: str) -> Iterator[Finding]:
    """What --userns shares the layers by."""
    name, place = "id-mapped mounts", existing(root)
    if not is_root():
        yield takes_root(name)
        return
    try:
        in_child(lambda: map_ids_of(place))
    except TrialFailed as error:
        yield warn(
            name, f"not of {place}: {error}", "use ext4, xfs or btrfs for --root, and Linux 5.19 or newer"
        )
    else:
        yield ok(name, f"made one of {place}")


def space(root: str, state: str) -> Iterator[Finding]:
    """Room for images and upper directories, and for the bookkeeping."""
    for name, place, little in (("space for images", root, 1024), ("space for state", state, 16)):
        found = os.statvfs(existing(place))
        free = found.f_bavail * found.f_frsize // MIB
        text = f"{free} MiB and {found.f_favail} files free in {existing(place)}"
        fix = f"free some space, or choose another {'--root' if place == root else '--state'}"
        # Some file systems (btrfs) count no files: both numbers are 0 then.
        if free < little // 16 or (found.f_files and found.f_favail < 100):
            yield fail(name, text, fix)
        elif free < little:
            yield warn(name, text, fix)
        else:
            yield ok(name, text)
