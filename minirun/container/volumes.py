"""``-v``, ``--mount`` and ``--tmpfs``: what the user wants mounted where.

Layer ``container``, pure. Three spellings, docker's, of three things:

    bind     a file or directory of the host's      -v /srv/data:/data:ro
    volume   a directory that minirun keeps         -v cache:/var/cache, -v /scratch
    tmpfs    memory, gone with the container        --tmpfs /run:size=64m

``volume_words.py`` reads the words into ``Volume`` values; here they become the
spec's ``Mount``, with a volume's directory, ``ROOT/volumes/NAME/_data``. Nothing is
made yet: the plan makes the directories, and fills a new volume from the
image (isolation/mounts/bind.py).
"""

from __future__ import annotations

from minirun.container.volume_words import Volume, parse_mount, parse_tmpfs, parse_volume, target_of
from minirun.errors import Conflict
from minirun.isolation.mounts.options import COPY_UP, MAKE_SOURCE, VOLUME
from minirun.spec import Mount
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What a tmpfs has unless told otherwise.
_TMPFS_DEFAULT = ("noexec", "nosuid", "nodev")


def parse_all(
    volumes: Iterable[str] = (),
    mounts: Iterable[str] = (),
    tmpfs: Iterable[str] = (),
    image: Iterable[str] = (),
) -> tuple[Volume, ...]:
    """All that was asked for, parents before what lies below them.

    ``image`` lists the paths that the image declares as volumes; what the
    user mounts there replaces them. Raises UsageError, and Conflict where
    two want the same place.
    """
    asked = [parse_volume(text) for text in volumes]
    asked += [parse_mount(text) for text in mounts]
    asked += [parse_tmpfs(text) for text in tmpfs]
    taken: set[str] = set()
    for volume in asked:
        if volume.target in taken:
            raise Conflict(
                f"two mounts want {volume.target}",
                "the second would hide the first",
                "choose another place for one of them",
            )
        taken.add(volume.target)
    for path in image:
        target = target_of(path, f"VOLUME {path}")
        if target not in taken:
            asked.append(Volume(kind="volume", target=target))
            taken.add(target)
    return tuple(sorted(asked, key=lambda volume: volume.target.count("/")))


def mounts_of(volumes: Sequence[Volume], directory: str) -> tuple[Mount, ...]:
    """The spec's mounts. ``directory`` holds the volumes, which all have a name by now."""
    return tuple(_mount(volume, f"{directory}/{volume.source}/_data") for volume in volumes)


def merge(defaults: Sequence[Mount], asked: Sequence[Mount]) -> tuple[Mount, ...]:
    """The default mounts, but for those whose place the user wants, then the user's."""
    taken = {mount.destination for mount in asked}
    return (*(mount for mount in defaults if mount.destination not in taken), *asked)


def _mount(volume: Volume, directory: str) -> Mount:
    if volume.kind == "tmpfs":
        options = (*_TMPFS_DEFAULT, *(("ro",) if volume.readonly else ()), *volume.options)
        return Mount(destination=volume.target, type="tmpfs", source="tmpfs", options=options)
    words = ["bind" if volume.recursive == "disabled" else "rbind", volume.propagation or "rprivate"]
    # docker's "ro" includes what is mounted below, unless told otherwise.
    recursive = "r" if volume.recursive in ("enabled", "readonly") else ""
    if volume.readonly:
        words.append(f"{recursive}ro")
    words += [f"{recursive}{word}" for word in volume.options]
    if volume.kind == "volume":
        words += [VOLUME, MAKE_SOURCE] + ([] if volume.nocopy else [COPY_UP])
    elif volume.make_source:
        words.append(MAKE_SOURCE)
    source = directory if volume.kind == "volume" else volume.source
    return Mount(destination=volume.target, type="bind", source=source, options=tuple(words))
