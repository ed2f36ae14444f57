"""The words of mount(8) and of the OCI spec, sorted by what the kernel does with them.

Part of ``isolation/mounts``, pure. One list, ``ro,nosuid,rprivate,size=64m``,
holds four kinds of things: flags of the mount, flags for all mounts below it
as well (``rro``), propagation, and what only the file system itself understands
(``size=64m``). config.md, "Linux mount options", has the list; mount(8) the
meanings. Read ``bind.py`` and ``populate.py`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported
from minirun.linux.mount import ATIME, MountAttr, MountFlag
from minirun.spec import Mount
from minirun.values import Value

#: Set or cleared on the one mount: the bit in mount(2)'s flags and, for a bind,
#: in mount_setattr(2)'s attributes.
_SET = {
    "ro": (MountFlag.RDONLY, MountAttr.RDONLY),
    "nosuid": (MountFlag.NOSUID, MountAttr.NOSUID),
    "nodev": (MountFlag.NODEV, MountAttr.NODEV),
    "noexec": (MountFlag.NOEXEC, MountAttr.NOEXEC),
    "nodiratime": (MountFlag.NODIRATIME, MountAttr.NODIRATIME),
    "nosymfollow": (MountFlag.NOSYMFOLLOW, MountAttr.NOSYMFOLLOW),
}
_CLEAR = {
    "rw": "ro",
    "suid": "nosuid",
    "dev": "nodev",
    "exec": "noexec",
    "diratime": "nodiratime",
    "symfollow": "nosymfollow",
}
_ACCESS_TIME = {
    "relatime": (MountFlag.RELATIME, MountAttr(0)),
    "noatime": (MountFlag.NOATIME, MountAttr.NOATIME),
    "strictatime": (MountFlag.STRICTATIME, MountAttr.STRICTATIME),
    "atime": (MountFlag(0), MountAttr(0)),
    "norelatime": (MountFlag(0), MountAttr(0)),
    "nostrictatime": (MountFlag(0), MountAttr(0)),
}

#: Of the file system, not of the mount: a bind shares them with its source.
_SUPERBLOCK = {
    "sync": MountFlag.SYNCHRONOUS,
    "dirsync": MountFlag.DIRSYNC,
    "mand": MountFlag.MANDLOCK,
    "lazytime": MountFlag.LAZYTIME,
    "silent": MountFlag.SILENT,
}
_SUPERBLOCK_OFF = ("async", "nomand", "nolazytime", "loud", "defaults")

PROPAGATION = {
    "private": MountFlag.PRIVATE,
    "slave": MountFlag.SLAVE,
    "shared": MountFlag.SHARED,
    "unbindable": MountFlag.UNBINDABLE,
}

#: minirun's own words, in mount(8)'s name space for such.
MAKE_SOURCE, COPY_UP, VOLUME = "x-minirun.mkdir", "x-minirun.copyup", "x-minirun.volume"


class Options(Value):
    """A mount's options, sorted. ``attr`` fields are for the mount, ``all`` ones recursive."""

    bind: bool = False
    recursive: bool = False
    flags: MountFlag = MountFlag(0)
    attr_set: int = 0
    attr_clr: int = 0
    all_set: int = 0
    all_clr: int = 0
    propagation: str = ""
    """``rslave``, ``private`` ...; with an r it holds for the mounts below too."""
    data: str = ""
    make_source: bool = False
    copy_up: bool = False
    volume: bool = False

    @property
    def readonly(self) -> bool:
        """Whether the mount itself shall be read-only."""
        return bool(self.flags & MountFlag.RDONLY or self.all_set & MountAttr.RDONLY)


#: Plans ask for the same few again and again.
_parsed: dict[tuple[str, tuple[str, ...]], Options] = {}


def parse(mount: Mount) -> Options:
    """Sorts ``mount.options``; the later of two that contradict each other counts.

    Raises Unsupported for idmap, InvalidInput for a word that a bind mount
    has no use for (another file system gets it as data and judges itself).
    """
    known = _parsed.get((mount.type, mount.options))
    if known is None:
        known = _parsed[mount.type, mount.options] = _parse(mount)
    return known


def _parse(mount: Mount) -> Options:
    reader = _Reader()
    for word in mount.options:
        reader.read(word)
    bind = reader.bind or mount.type == "bind"
    if bind and (reader.data or reader.superblock):
        raise _refused(mount, (reader.data or reader.superblock)[0])
    return Options(
        bind=bind,
        recursive=reader.recursive,
        flags=reader.flags,
        attr_set=reader.own[0],
        attr_clr=reader.own[1],
        all_set=reader.all[0],
        all_clr=reader.all[1],
        propagation=reader.propagation,
        data=",".join(reader.data),
        make_source=MAKE_SOURCE in reader.ours,
        copy_up=COPY_UP in reader.ours,
        volume=VOLUME in reader.ours,
    )


class _Reader:
    """What was read so far; ``own`` and ``all`` are pairs of bits to set and to clear."""

    def __init__(self) -> None:
        self.bind = self.recursive = False
        self.flags = MountFlag(0)
        self.own, self.all = (0, 0), (0, 0)
        self.propagation = ""
        self.data: list[str] = []
        self.superblock: list[str] = []
        self.ours: list[str] = []

    def read(self, word: str) -> None:
        plain = word[1:] if word[:1] == "r" else word
        if word in ("bind", "rbind"):
            self.bind, self.recursive = True, word == "rbind"
        elif plain in PROPAGATION or word in PROPAGATION:
            self.propagation = word
        elif word in _SET or word in _CLEAR or word in _ACCESS_TIME:
            self.own = self._attribute(word, self.own)
        elif word[:1] == "r" and (plain in _SET or plain in _CLEAR or plain in _ACCESS_TIME):
            self.all = self._attribute(plain, self.all)
        elif word in _SUPERBLOCK:
            self.superblock.append(word)
            self.flags |= _SUPERBLOCK[word]
        elif word in (MAKE_SOURCE, COPY_UP, VOLUME):
            self.ours.append(word)
        elif word not in _SUPERBLOCK_OFF:
            self.data.append(word)

    def _attribute(self, word: str, bits: tuple[int, int]) -> tuple[int, int]:
        """Takes one word into ``bits``, and into mount(2)'s flags."""
        put, cleared = bits
        if word in _ACCESS_TIME:
            flag, attr = _ACCESS_TIME[word]
            self.flags &= ~(MountFlag.RELATIME | MountFlag.NOATIME | MountFlag.STRICTATIME)
            self.flags |= flag
            # mount_setattr(2): the old way of keeping access times is cleared as one.
            return put & ~ATIME | attr, cleared | ATIME
        flag, attr = _SET[_CLEAR.get(word, word)]
        if word in _CLEAR:
            self.flags &= ~flag
            return put & ~attr, cleared | attr
        self.flags |= flag
        return put | attr, cleared & ~attr


def _refused(mount: Mount, word: str) -> Exception:
    what = f"the mount of {mount.source} at {mount.destination} cannot have the option {word!r}"
    if word.partition("=")[0] in ("idmap", "ridmap"):
        return Unsupported(what, "minirun does not map the ids of a single mount", "leave it out")
    return InvalidInput(what, "a bind mount has no options of its own but flags", "leave it out")
