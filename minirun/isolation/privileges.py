"""Privileges: what is taken from init before it becomes the program.

Layer: isolation. Root is an id *and* 41 capabilities; a container's root keeps
the id and 14 of them, another user keeps none. The order of the steps is the
kernel's, not a matter of taste: each needs a power that a later one gives up.

    bounding set      needs CAP_SETPCAP
    groups, gid, uid  need CAP_SETGID, CAP_SETUID; the uid last, for it takes both
    capset            needs nothing, and gives back what the change of uid switched off
    ambient set       needs the permitted and inheritable sets to stand
    no_new_privs      then nothing grows back
    verify            the kernel's own account, compared with what was promised

The seccomp filter (``syscall_filter``, read it next) comes after ``drop`` under
no_new_privs. Without, installing one takes CAP_SYS_ADMIN, which ``drop`` gives
up: then it comes before. See capabilities(7), credentials(7), seccomp(2).
"""

from __future__ import annotations

from minirun.errors import InvalidInput, StepFailed, Unsupported
from minirun.linux import capability, credentials, procfs
from minirun.spec import Capabilities, Spec
from minirun.steps import Call, Step, syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHAPTER = "07"
DEFAULT_UMASK = 0o022  # runc's, when the spec does not say


def drop(spec: Spec) -> Iterator[Step]:
    """Init side, last but for execve: takes every privilege that was not promised.

    Raises InvalidInput for sets that contradict each other.
    """
    _must_be_consistent(spec.process.capabilities)
    yield from _bounding(spec)
    yield from _ids(spec)
    yield from _sets(spec)
    yield from _ambient(spec)
    yield from _umask(spec)
    yield from _no_new_privs(spec)
    yield _verify(spec)


def undumpable() -> Step:
    """Hides init from the processes of a PID namespace that it is about to join.

    They could ptrace it, or reach the host's files through its /proc/PID/fd,
    while it still holds them (CVE-2016-9962). execve(2) takes it back.
    """
    return Step(
        "hide from the container's processes",
        Call(credentials.set_dumpable, False),
        why="whoever lives in that PID namespace could otherwise look into this process",
        chapter=_CHAPTER,
    )


def sets(names: tuple[str, ...], uid: int) -> Capabilities:
    """The five sets that docker gives a process which shall have ``names``.

    For a user other than 0 they are only the ceiling: execve(2) would switch
    the permitted and effective ones off anyway, and docker raises no ambient ones.
    """
    if uid != 0:
        return Capabilities(bounding=names)
    return Capabilities(bounding=names, effective=names, permitted=names)


def check(spec: Spec) -> None:
    """Refuses what this host cannot give, before anything is made.

    Raises Unsupported, with the capabilities by name.
    """
    if any(ns.type == "user" for ns in spec.linux.namespaces):
        return  # a user namespace begins with all of them (user_namespaces(7))
    wanted = spec.process.capabilities
    have = set(capability.available())
    lacking = [name for name in (*wanted.bounding, *wanted.permitted) if name not in have]
    if lacking:
        raise Unsupported(
            f"this host cannot give {', '.join(dict.fromkeys(lacking))}",
            "minirun itself does not have it in its bounding set, and nobody can add to that",
            "leave it out, or start minirun where it was not taken away",
        )


def _bounding(spec: Spec) -> Iterator[Step]:
    kept = capability.mask_of(spec.process.capabilities.bounding)
    # Those too that are newer than minirun: what it cannot name, it cannot promise.
    dropped = [one for one in range(_last() + 1) if not kept >> one & 1]
    if not dropped:
        return
    yield Step(
        "lower the ceiling of capabilities",
        *(Call(capability.drop_bounding, one) for one in dropped),
        why="no set-uid program inside can get these back; first, for it needs CAP_SETPCAP",
        chapter=_CHAPTER,
    )


def _last() -> int:
    return max(capability.last_capability(), len(capability.ALL) - 1)


def _ids(spec: Spec) -> Iterator[Step]:
    user = spec.process.user
    if _keeps(spec):
        yield Step(
            "keep capabilities across the change of user",
            Call(credentials.set_keepcaps, True),
            why="leaving user 0 would clear the permitted set",
            chapter=_CHAPTER,
        )
    groups = ", ".join(map(str, user.additionalGids))
    yield Step(
        f"take the groups {groups}" if groups else "leave all supplementary groups",
        Call(credentials.setgroups, user.additionalGids),
        why="those of whoever started minirun would be inherited; before the uid, it needs CAP_SETGID",
        chapter=_CHAPTER,
    )
    yield Step(
        f"become group {user.gid}",
        Call(credentials.setresgid, user.gid),
        why="all three ids, so that no saved one leads back; before the uid, it needs CAP_SETGID",
        chapter=_CHAPTER,
    )
    yield Step(
        f"become user {user.uid}",
        Call(credentials.setresuid, user.uid),
        why="from here on files are opened as this user",
        chapter=_CHAPTER,
    )


def _keeps(spec: Spec) -> bool:
    return spec.process.user.uid != 0 and bool(spec.process.capabilities.permitted)


def _sets(spec: Spec) -> Iterator[Step]:
    wanted = spec.process.capabilities
    yield Step(
        "switch capabilities off",
        Call(
            capability.capset,
            capability.mask_of(wanted.effective),
            capability.mask_of(wanted.permitted),
            capability.mask_of(wanted.inheritable),
        ),
        why="the ceiling holds for what execve gives; this is what the process has already",
        chapter=_CHAPTER,
    )
    if _keeps(spec):
        yield Step(
            "let go of the kept capabilities",
            Call(credentials.set_keepcaps, False),
            why="the flag did its work",
            chapter=_CHAPTER,
        )


def _ambient(spec: Spec) -> Iterator[Step]:
    names = spec.process.capabilities.ambient
    if not names:
        return
    numbers = [number for number, name in enumerate(capability.ALL) if name in names]
    yield Step(
        "raise ambient capabilities",
        *(Call(capability.raise_ambient, number) for number in numbers),
        why="the only ones that a user other than 0 keeps across execve",
        chapter=_CHAPTER,
    )


def _umask(spec: Spec) -> Iterator[Step]:
    asked = spec.process.user.umask
    mask = DEFAULT_UMASK if asked is None else asked
    yield Step(
        f"set the umask to {mask:04o}",
        Call(credentials.umask, mask),
        why="whoever started minirun had one too; the program shall not inherit it",
        chapter=_CHAPTER,
    )


def _no_new_privs(spec: Spec) -> Iterator[Step]:
    if not spec.process.noNewPrivileges:
        return
    yield Step(
        "forbid new privileges",
        Call(credentials.set_no_new_privs),
        why="set-uid programs and file capabilities give nothing any more; there is no way back",
        chapter=_CHAPTER,
    )


def _must_be_consistent(wanted: Capabilities) -> None:
    """The kernel would answer EPERM to each of these; here they get a name."""
    for small, large, which in (
        (wanted.effective, wanted.permitted, "effective ones must be permitted"),
        (wanted.permitted, wanted.bounding, "permitted ones must be in the bounding set"),
        (wanted.inheritable, wanted.bounding, "inheritable ones must be in the bounding set"),
        (wanted.ambient, wanted.permitted, "ambient ones must be permitted"),
        (wanted.ambient, wanted.inheritable, "ambient ones must be inheritable"),
        (wanted.bounding, capability.ALL, "all must be capabilities of capabilities(7)"),
    ):
        if lacking := [name for name in small if name not in large]:
            what = f"the capability sets contradict each other: {', '.join(lacking)}"
            raise InvalidInput(what, which, "correct process.capabilities")


def _verify(spec: Spec) -> Step:
    wanted, user = spec.process.capabilities, spec.process.user
    promised = {
        "Uid": " ".join([str(user.uid)] * 4),
        "Gid": " ".join([str(user.gid)] * 4),
        "Groups": " ".join(map(str, sorted(user.additionalGids))),
        "CapInh": _word(wanted.inheritable),
        "CapPrm": _word(wanted.permitted),
        "CapEff": _word(wanted.effective),
        "CapBnd": _word(wanted.bounding),
        "CapAmb": _word(wanted.ambient),
    }
    if spec.process.noNewPrivileges:
        promised["NoNewPrivs"] = "1"
    has_proc = any(mount.destination.rstrip("/") == "/proc" for mount in spec.mounts)
    return Step(
        "verify the privileges",
        Call(_compare_status if has_proc else _compare_getters, promised),
        why="the kernel's own account must say what was promised, or the program does not start",
        chapter=_CHAPTER,
    )


def _word(names: tuple[str, ...]) -> str:
    return f"{capability.mask_of(names):016x}"


@syscall("read", "proc(5)", show=lambda promised: f'read("/proc/self/status") == {_shown(promised)}')
def _compare_status(promised: dict[str, str]) -> None:
    """Raises StepFailed where /proc/self/status is not as ``promised``."""
    _compare(promised, {name: " ".join(value.split()) for name, value in procfs.status().items()})


@syscall("capget", show=lambda promised: f"capget(), getresuid(), getresgid() == {_shown(promised)}")
def _compare_getters(promised: dict[str, str]) -> None:
    """The same where the container has no /proc, as far as single calls tell."""
    effective, permitted, inheritable = capability.capget()
    found = {
        **credentials.ids(),
        "CapInh": f"{inheritable:016x}",
        "CapPrm": f"{permitted:016x}",
        "CapEff": f"{effective:016x}",
    }
    _compare({name: value for name, value in promised.items() if name in found}, found)


def _compare(promised: dict[str, str], found: dict[str, str]) -> None:
    for name, value in promised.items():
        if found.get(name, "") == value:
            continue
        if name == "Groups" and not value and not credentials.setgroups_allowed():
            continue  # a user namespace that pins the groups its maker had
        raise StepFailed(
            "the privileges are not what was promised",
            f"{name} of /proc/self/status should be {value or 'empty'}, the kernel says {found.get(name)}",
            "this is an error of minirun or of the kernel: report it with `minirun explain`",
        )


def _shown(promised: dict[str, str]) -> str:
    """``Uid 0 0 0 0, CapEff a80425fb``: what is promised, without leading zeros."""
    short = {name: value.lstrip("0") or "0" for name, value in promised.items() if "Cap" in name}
    return ", ".join(f"{name} {value}" for name, value in {**promised, **short}.items() if value)
