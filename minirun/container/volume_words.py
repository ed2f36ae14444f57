"""How ``-v``, ``--mount`` and ``--tmpfs`` are spelled.

Part of ``volumes.py``, pure. The words and their meanings are docker's
(docs.docker.com/reference/cli/docker/container/run); one that minirun cannot
keep is refused by name.
"""

from __future__ import annotations

import os

from minirun.errors import Unsupported, UsageError
from minirun.values import Value

_PROPAGATION = ("private", "rprivate", "slave", "rslave", "shared", "rshared")
_RESTRICTIONS = ("nosuid", "nodev", "noexec")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")

#: The words that a tmpfs may be told.
_TMPFS_WORDS = frozenset({
    "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noswap",
    "atime", "noatime", "relatime", "norelatime", "strictatime", "nostrictatime", "diratime", "nodiratime",
    "sync", "async", "dirsync", "mand", "nomand",
    "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable",
})  # fmt: skip
_TMPFS_VALUES = frozenset({"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol"})


class Volume(Value):
    """One thing to mount, as it was asked for."""

    kind: str
    """``bind``, ``volume`` or ``tmpfs``."""
    target: str
    source: str = ""
    """The host's path, or the volume's name; an anonymous volume has none."""
    readonly: bool = False
    propagation: str = ""
    recursive: str = "enabled"
    """Of a bind: ``enabled``, ``disabled``, ``writable`` or ``readonly``, as docker's bind-recursive."""
    make_source: bool = False
    nocopy: bool = False
    options: tuple[str, ...] = ()
    """Further words of mount(8): nosuid, size=64m ..."""


def parse_volume(text: str) -> Volume:
    """``-v [SOURCE:]TARGET[:OPTIONS]``. Raises UsageError or Unsupported."""
    said = f"-v {text}"
    parts = text.split(":")
    if len(parts) > 3 or not all(parts):
        raise _not_understood(said, "it is [SOURCE:]TARGET[:OPTIONS]", "for example -v /srv/data:/data:ro")
    words = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) == 1:
        return Volume(kind="volume", target=target_of(parts[0], said))
    source, target = parts[0], target_of(parts[1], said)
    # A path begins with / or .; all else is a volume's name.
    bind = source.startswith(("/", "."))
    readonly = nocopy = False
    propagation = ""
    restrictions = []
    for word in words:
        if word in ("ro", "rw"):
            readonly = word == "ro"
        elif word == "nocopy" and not bind:
            nocopy = True
        elif word in _PROPAGATION and bind:
            propagation = word
        elif word in _RESTRICTIONS:
            restrictions.append(word)
        else:
            raise _unknown_option(said, word, bind)
    return Volume(
        kind="bind" if bind else "volume",
        target=target,
        source=os.path.abspath(source) if bind else _name(source, said),
        readonly=readonly,
        propagation=propagation,
        make_source=bind,
        nocopy=nocopy,
        options=tuple(restrictions),
    )


def parse_mount(text: str) -> Volume:
    """``--mount type=bind|volume|tmpfs,source=,target=,...``. Raises UsageError or Unsupported."""
    said = f"--mount {text}"
    given: dict[str, str] = {}
    for field in _fields(text):
        key, equals, value = field.partition("=")
        key = _ALIASES.get(key.strip().lower(), key.strip().lower())
        if key in given:
            raise _not_understood(said, f"{key} is given twice", "leave one out")
        given[key] = value if equals else "true"
    kind = given.pop("type", "volume")
    if kind not in _KEYS:
        raise _not_understood(said, f"there is no type {kind!r}", "type is bind, volume or tmpfs")
    for key in given:
        if key not in _KEYS[kind]:
            raise _unknown_key(said, key, kind)
    if "target" not in given:
        raise _not_understood(said, "it has no target", "add target=/path/in/the/container")
    return _of_mount(kind, given, said)


def parse_tmpfs(text: str) -> Volume:
    """``--tmpfs TARGET[:OPTIONS]``, options as of mount(8) for tmpfs(5). Raises UsageError."""
    target, _, options = text.partition(":")
    words = [word for word in options.split(",") if word]
    for word in words:
        key, equals, _value = word.partition("=")
        if key not in (_TMPFS_VALUES if equals else _TMPFS_WORDS):
            raise _not_understood(
                f"--tmpfs {text}", f"a tmpfs has no option {word!r}", "see tmpfs(5): size=64m, mode=1777 ..."
            )
    return Volume(kind="tmpfs", target=target_of(target, f"--tmpfs {text}"), options=tuple(words))


_ALIASES = {
    "src": "source",
    "dst": "target",
    "destination": "target",
    "ro": "readonly",
}
_COMMON = ("target", "readonly")
_KEYS = {
    "bind": (
        *_COMMON,
        "source",
        "bind-propagation",
        "bind-recursive",
        "bind-nonrecursive",
        "bind-create-src",
    ),
    "volume": (*_COMMON, "source", "volume-nocopy"),
    "tmpfs": (*_COMMON, "tmpfs-size", "tmpfs-mode"),
}


def _of_mount(kind: str, given: dict[str, str], said: str) -> Volume:
    target, readonly = target_of(given["target"], said), _true(given, "readonly", said)
    source = given.get("source", "")
    if kind == "tmpfs":
        return Volume(kind=kind, target=target, readonly=readonly, options=_tmpfs_options(given, said))
    if kind == "volume":
        source = _name(source, said) if source else ""
        nocopy = _true(given, "volume-nocopy", said)
        return Volume(kind=kind, source=source, target=target, readonly=readonly, nocopy=nocopy)
    if not source.startswith(("/", ".")):
        raise _not_understood(said, "a bind needs the path of something on the host", "add source=/path")
    propagation = given.get("bind-propagation", "")
    if propagation and propagation not in _PROPAGATION:
        raise _not_understood(
            said, f"bind-propagation cannot be {propagation!r}", f"one of {', '.join(_PROPAGATION)}"
        )
    return Volume(
        kind=kind,
        source=os.path.abspath(source),
        target=target,
        readonly=readonly,
        propagation=propagation,
        recursive=_recursive(given, readonly, said),
        make_source=_true(given, "bind-create-src", said),
    )


def _recursive(given: dict[str, str], readonly: bool, said: str) -> str:
    how = given.get("bind-recursive", "enabled")
    if _true(given, "bind-nonrecursive", said):
        how = "disabled"
    if how not in ("enabled", "disabled", "writable", "readonly"):
        raise _not_understood(
            said, f"bind-recursive cannot be {how!r}", "it is enabled, disabled, writable or readonly"
        )
    if how in ("writable", "readonly") and not readonly:
        raise _not_understood(said, f"bind-recursive={how} is for read-only mounts", "add readonly")
    return how


def _tmpfs_options(given: dict[str, str], said: str) -> tuple[str, ...]:
    words = []
    if size := given.get("tmpfs-size", ""):
        number = size.rstrip("bB").rstrip("kKmMgG")
        if not number.isdigit() or len(size) - len(number) > 2:
            raise _not_understood(
                said, f"tmpfs-size cannot be {size!r}", "a number with k, m or g, such as 64m"
            )
        words.append(f"size={size.rstrip('bB').lower()}")
    if mode := given.get("tmpfs-mode", ""):
        if set(mode) - set("01234567") or len(mode) > 5:
            raise _not_understood(said, f"tmpfs-mode cannot be {mode!r}", "it is octal, such as 1770")
        words.append(f"mode={mode}")
    return tuple(words)


def target_of(path: str, said: str) -> str:
    """``path``, without ``..`` and double slashes. ``said`` names it in a UsageError."""
    if not path.startswith("/"):
        raise _not_understood(said, f"the target {path!r} is not an absolute path", "begin it with /")
    plain = os.path.normpath(path).replace("//", "/", 1)
    if plain == "/":
        raise _not_understood(said, "the target cannot be /", "mount it below")
    return plain


def _name(name: str, said: str) -> str:
    if name[0] not in _NAME or not set(name) <= _NAME | set("_.-") or len(name) < 2 or len(name) > 255:
        raise _not_understood(
            said,
            f"{name!r} is neither a path nor a volume's name",
            "a path begins with / or ./; a name is two or more of a-z A-Z 0-9 _ . -, no sign first",
        )
    return name


def _true(given: dict[str, str], key: str, said: str) -> bool:
    value = given.get(key, "false").lower()
    if value not in ("true", "1", "false", "0"):
        raise _not_understood(said, f"{key} cannot be {value!r}", "it is true or false")
    return value in ("true", "1")


def _fields(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    import csv

    return next(csv.reader([text]))


def _unknown_option(said: str, word: str, bind: bool) -> UsageError | Unsupported:
    if word in ("z", "Z"):
        return Unsupported(f"{said}: the option {word!r}", "it labels files for SELinux", "leave it out")
    if word in ("cached", "delegated", "consistent"):
        return Unsupported(f"{said}: the option {word!r}", "it is for hosts other than Linux", "leave it out")
    if word in _PROPAGATION or word == "nocopy":
        kind, other = ("a bind mount", "volumes") if bind else ("a volume", "bind mounts")
        return _not_understood(said, f"{word} is for {other}, and this is {kind}", "leave it out")
    return _not_understood(
        said,
        f"there is no option {word!r}",
        "ro, rw, nocopy, nosuid, nodev, noexec, rprivate, rslave, rshared",
    )


def _unknown_key(said: str, key: str, kind: str) -> UsageError | Unsupported:
    if any(key in keys for keys in _KEYS.values()):
        return _not_understood(said, f"{key} is not for type={kind}", "leave it out, or choose another type")
    if key.startswith("volume-") or key == "consistency":
        return Unsupported(
            f"{said}: {key}", "minirun has no volume drivers, labels or subpaths", "leave it out"
        )
    return _not_understood(said, f"there is no key {key!r}", f"type={kind} has {', '.join(_KEYS[kind])}")


def _not_understood(said: str, why: str, remedy: str) -> UsageError:
    return UsageError(f"{said} is not understood", why, remedy)
