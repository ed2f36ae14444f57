"""What strace saw of a start, in the words of ``run --trace=json``, so that the two can be compared.

Both sides are brought to a ``Seen``: the system call and those of its arguments
that say what it does. A descriptor becomes the path it stands for, flags become
sets of names, and what is the same thing written in two ways is written in one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from minirun.linux import capability

#: The calls that are compared: those that change what a process is, sees or may. Not those that a
#: plan has and that only look (openat2, statfs, read), nor the talk of the two sides (sendmsg, recvmsg).
_WATCHED = """
    mount umount2 pivot_root open_tree move_mount mount_setattr fsopen fsconfig fsmount fspick chroot
    clone clone3 fork vfork setns unshare setsid execve
    prctl capset seccomp bpf setresuid setresgid setuid setgid setreuid setregid setgroups
    sethostname setdomainname prlimit64 setrlimit mknodat mknod symlinkat symlink
    write mkdir chdir fchdir dup2 close_range ioctl
"""
WATCHED = frozenset(_WATCHED.split())

#: What the parser needs besides: it tells which path a descriptor stands for.
OPENING = frozenset(["openat", "openat2"])


class Seen(NamedTuple):
    """One call, comparable."""

    name: str
    what: tuple[object, ...]


class Line(NamedTuple):
    """One call as it was written: name, arguments, result."""

    name: str
    args: list[str]
    result: str


def of_trace(text: str, side: str) -> list[Seen]:
    """The calls of one side out of what ``--trace=json`` printed, without the skipped ones."""
    told = [json.loads(line) for line in text.splitlines() if line.startswith('{"number"')]
    found = [
        seen
        for each in told
        if each["side"] == side and each["result"] != "skipped" and not each["result"].startswith("-1 ")
        for seen in _translated(Line(each["syscall"], _arguments(each["call"]), each["result"]), {})
    ]
    return _without_parents(found, "self")


def of_strace(path: Path) -> list[Seen]:
    """The calls of one process out of the file that ``strace -ff -y`` wrote."""
    fds: dict[str, str] = {}
    found: list[Seen] = []
    for line in _lines(path):
        if line.name in OPENING:
            number, _, place = line.result.partition("<")
            fds[number] = place.rstrip(">")
        elif line.name in WATCHED and not _is_artefact(line):
            found += _translated(line, fds)
    return _without_parents(found, path.suffix[1:])


def _without_parents(calls: list[Seen], pid: str) -> list[Seen]:
    """What is told as one mkdir makes the directories above too; and ``self`` is how a plan calls itself."""
    kept: list[Seen] = []
    for number, each in enumerate(calls):
        following = calls[number + 1] if number + 1 < len(calls) else each
        if each.name == following.name == "mkdir" and str(following.what[0]).startswith(f"{each.what[0]}/"):
            continue
        if each.name == "write":
            each = Seen("write", (str(each.what[0]).replace(f"/proc/{pid}/", "/proc/self/"), *each.what[1:]))
        kept.append(each)
    return kept


def _lines(path: Path) -> Iterator[Line]:
    for text in path.read_text(errors="replace").splitlines():
        # "close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC) = 0"; "+++ exited with 0 +++" is no call.
        match = re.fullmatch(r"(\w+\(.*\)) += (.*)", text)
        if match and (not match[2].startswith("-1 ") or _is_shared(match[1], match[2])):
            yield Line(match[1].partition("(")[0], _arguments(match[1]), match[2])


def _is_shared(call: str, result: str) -> bool:
    """A group for all containers that somebody else has made since the plan: as good as made by us."""
    return call.startswith('mkdir("/sys/fs/cgroup/') and result.startswith("-1 EEXIST")


def _is_artefact(line: Line) -> bool:
    """What strace sees and no plan could tell, each with its reason."""
    name, args = line.name, line.args
    where = args[0].partition("<")[2] if args else ""
    return (
        # Reading: Python asks each file it opens whether it is a terminal, the others ask for what
        # is there before it is changed (an interface's flags, a limit).
        (name == "ioctl" and args[1] in ("TCGETS", "SIOCGIFFLAGS", "TIOCGPTN"))
        # Python's way to make a descriptor outlive an exec: the monitor inherits some.
        or (name == "ioctl" and args[1] in ("FIOCLEX", "FIONCLEX"))
        or (name == "prlimit64" and args[2] == "NULL")
        # The first half of opening a pseudoterminal: posix_openpt(3) has unlockpt(3) behind it.
        or (name == "ioctl" and args[1] == "TIOCSPTLCK")
        # What the command prints and what the container's record says: files and streams, not the kernel.
        or (name == "write" and not where.startswith(("/sys/fs/cgroup/", "/proc/")))
    )


def _arguments(text: str) -> list[str]:
    _, _, rest = text.partition("(")
    return _split(rest[: rest.rindex(")")])


def _split(text: str) -> list[str]:
    """Splits at the commas that are in no string and no bracket."""
    parts, depth, quoted, start, at = [], 0, False, 0, 0
    while at < len(text):
        sign = text[at]
        if quoted:
            at += sign == "\\"
            quoted = sign != '"'
        elif sign == '"':
            quoted = True
        elif sign in "({[":
            depth += 1
        elif sign in ")}]":
            depth -= 1
        elif sign == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    return [*parts, last] if (last := text[start:].strip()) or parts else []


def _translated(line: Line, fds: dict[str, str]) -> list[Seen]:
    form = _FORMS.get(line.name)
    if line.args and line.args[0].startswith('"') and line.name == "clone3":
        # Done by a helper process, which strace has in a file of its own.
        return [Seen("clone", ())]
    if line.name == "posix_spawn" or any("CLONE_VFORK" in each for each in line.args):
        return [Seen("posix_spawn", ())]  # a clone that shares the memory until the child's execve
    if form is None:
        return []
    return [Seen(line.name, form(line, fds))]


def _text(argument: str) -> str:
    """The text in quotes, with C's escapes undone; NULL and numbers as they are."""
    if not argument.startswith('"'):
        return argument
    return argument.strip('"').encode().decode("unicode_escape")


def _flags(argument: str) -> frozenset[str]:
    return frozenset(argument.partition(" /*")[0].split("|")) - {"0"}


def _place(argument: str, fds: dict[str, str]) -> str:
    """A path, whichever descriptor it goes through; inside the root file system as seen from there."""
    text = _text(argument)
    if (number := text.removeprefix("/proc/self/fd/")) != text:
        text = fds[number]
    text = re.sub(r"^\d+<rootfs>", "", text)
    return re.sub(r"^/.*/containers/[0-9a-f]{64}/rootfs(?=/)", "", text)


def _opened(argument: str) -> str:
    """The path in ``5</sys/fs/cgroup>``."""
    return argument.partition("<")[2].rstrip(">")


def _mount(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    source, target, fstype, flags, data = line.args
    names = _flags(flags)
    if {"MS_REMOUNT", "MS_RDONLY"} <= names:
        # A remount says all flags anew: those that the mount has already are <its flags>.
        names &= {"MS_REMOUNT", "MS_RDONLY", "MS_BIND"}
    return _place(source, fds), _place(target, fds), _text(fstype), names, _text(data)


def _clone3(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    fields = _fields(line.args[0])
    group = fields.get("cgroup", "")
    return _flags(fields["flags"]), _text(group) if group.startswith('"') else fds.get(group, group)


def _fields(argument: str) -> dict[str, str]:
    """``{a=1, b=2}`` as a table."""
    pairs = (item.partition("=") for item in _split(argument.strip("{}")))
    return {name: value for name, _, value in pairs}


def _prctl(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    words = {"SUID_DUMP_DISABLE": "0", "SUID_DUMP_USER": "1", "0x1": "1"}
    args = [words.get(each, each) for each in line.args if each not in ("0", "NULL")]
    return tuple(each for each in args if each != "0")


def _capset(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    sets = _fields(line.args[1])
    return tuple(_capabilities(sets[name]) for name in ("effective", "permitted", "inheritable"))


def _capabilities(text: str) -> frozenset[str]:
    if text.startswith("ALL"):
        return frozenset(capability.ALL) - set(text.split("-")[1:])
    return frozenset(re.findall(r"CAP_\w+", text))


def _seccomp(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    count = re.search(r"len=(\d+)|<(\d+) instructions>", line.args[2])
    assert count
    return line.args[0], _flags(line.args[1]), int(count[1] or count[2])


def _setattr(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    fields = _fields(line.args[3])
    both = ("attr_set", "attr_clr", "propagation")
    return _flags(line.args[2]), tuple(_flags(fields.get(name, "0")) for name in both)


def _open_tree(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    return _text(line.args[1]), _flags(line.args[2])


def _move_mount(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    *_, where, path, flags = line.args
    if where.startswith('"'):  # as a plan tells a place inside the root file system
        return _place(where, fds), _flags(flags)
    return _text(path) or _place(f'"{_opened(where)}"', fds), _flags(flags)


def _write(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    path, text = line.args[:2]
    if text.startswith("<"):  # a plan that cannot know the text yet: a trace has it as the result
        text = line.result
    return _text(path) if path.startswith('"') else _opened(path), _text(text)


def _node(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    kind, _, mode = line.args[2].partition("|")
    numbers = tuple(int(each, 0) for each in re.findall(r"0x[0-9a-f]+|\d+", line.args[3]))
    return _inside(line.args[0], line.args[1]), kind, int(mode.replace("0o", ""), 8), numbers


def _inside(directory: str, name: str) -> str:
    """``3<rootfs>, "/dev/null"`` and ``5</.../rootfs/dev>, "null"`` are one place."""
    name = _text(name)
    if name.startswith("/"):
        return name
    return _place(f'"{_opened(directory)}"', {}) + "/" + name


def _ioctl(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    return (next(each for each in line.args if each.startswith(("TIO", "SIO"))),)


def _limit(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    # strace writes large round numbers as products: 8192*1024.
    words = _fields(line.args[2]).values()
    return line.args[1], tuple(_product(word) for word in words)


def _product(word: str) -> int | str:
    if not word[0].isdigit():
        return word
    result = 1
    for factor in word.split("*"):
        result *= int(factor)
    return result


def _numbers(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    return tuple(each.partition("<")[0] for each in line.args)


def _texts(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    return (_text(line.args[0]),)


def _execve(line: Line, fds: dict[str, str]) -> tuple[object, ...]:
    return _text(line.args[0]), line.args[1]


#: How each call is made comparable.
_FORMS: dict[str, Callable[[Line, dict[str, str]], tuple[object, ...]]] = {
    "mount": _mount,
    "umount2": lambda line, fds: (_text(line.args[0]), _flags(line.args[1])),
    "pivot_root": lambda line, fds: tuple(line.args),
    "open_tree": _open_tree,
    "move_mount": _move_mount,
    "mount_setattr": _setattr,
    "clone": lambda line, fds: (),
    "clone3": _clone3,
    "setns": lambda line, fds: (_flags(line.args[1]),),
    "unshare": lambda line, fds: (_flags(line.args[0]),),
    "setsid": lambda line, fds: (),
    "execve": _execve,
    "prctl": _prctl,
    "capset": _capset,
    "seccomp": _seccomp,
    "setresuid": _numbers,
    "setresgid": _numbers,
    "setgroups": _numbers,
    "sethostname": _texts,
    "setdomainname": _texts,
    "prlimit64": _limit,
    "mknodat": _node,
    "symlinkat": lambda line, fds: (_text(line.args[0]), _inside(line.args[1], line.args[2])),
    "write": _write,
    "mkdir": _texts,
    "chdir": _texts,
    "fchdir": lambda line, fds: (),
    "dup2": lambda line, fds: (line.args[1].partition("<")[0],),
    "close_range": lambda line, fds: (line.args[0], line.args[2]),
    "ioctl": _ioctl,
}
