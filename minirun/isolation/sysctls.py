"""Sysctls: the kernel's knobs, those of them that a namespace has copies of.

Layer: isolation. Most of /proc/sys turns the whole machine, and a container
must not reach that; some knobs exist once per IPC, network, UTS or user
namespace, and where the container has such a namespace of its own, they are
its own. All others are refused by name. See namespaces(7), proc(5).
"""

from __future__ import annotations

import os

from minirun.errors import InvalidInput, Unsupported, UsageError
from minirun.linux import procfs
from minirun.spec import Spec
from minirun.steps import Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What belongs to a namespace: names, and the beginnings of names.
NAMESPACED: tuple[tuple[str, str], ...] = (
    ("kernel/msgmax", "ipc"),
    ("kernel/msgmnb", "ipc"),
    ("kernel/msgmni", "ipc"),
    ("kernel/sem", "ipc"),
    ("kernel/shmall", "ipc"),
    ("kernel/shmmax", "ipc"),
    ("kernel/shmmni", "ipc"),
    ("kernel/shm_rmid_forced", "ipc"),
    ("fs/mqueue/", "ipc"),
    ("net/", "network"),
    ("kernel/domainname", "uts"),
    ("kernel/hostname", "uts"),
    ("user/", "user"),
)


def steps(spec: Spec) -> Iterator[Step]:
    """Init side, in its namespaces and before /proc/sys is made read-only."""
    for name, value in spec.linux.sysctl.items():
        kind = _namespace_of(name)
        _must_be_own(spec, name, kind)
        if "\n" in value or "\0" in value or not value:
            raise InvalidInput(f"the value of sysctl {name} is malformed", "it must be one line of text")
        yield Step(
            f"set {name}",
            Call(procfs.write_sysctl, name, value),
            why=f"the container's {kind} namespace has a copy of its own of this knob",
            chapter="07",
        )


def _namespace_of(name: str) -> str:
    """The kind of namespace that owns ``name``; raises for one that the host owns."""
    path = procfs.sysctl_path(name).removeprefix("/proc/sys/")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise InvalidInput(f"{name!r} is not a sysctl", "a part of the name is empty or dots")
    for known, kind in NAMESPACED:
        if path == known or (known.endswith("/") and path.startswith(known)):
            return kind
    raise Unsupported(
        f"sysctl {name} cannot be set for a container",
        "it is not namespaced: it would change the whole machine",
        "set it on the host with sysctl(8), or leave it out",
    )


def _must_be_own(spec: Spec, name: str, kind: str) -> None:
    if name.replace("/", ".") == "kernel.hostname" and spec.hostname:
        raise InvalidInput(
            f"sysctl {name} contradicts the hostname {spec.hostname!r}", "both set the same name", "give one"
        )
    mine = next((ns for ns in spec.linux.namespaces if ns.type == kind), None)
    if mine is None or (mine.path and _is_hosts(kind, mine.path)):
        raise Unsupported(
            f"sysctl {name} cannot be set in the host's {kind} namespace",
            "it would change it for everybody on the host",
            f"give the container a {kind} namespace of its own",
        )


def _is_hosts(kind: str, path: str) -> bool:
    """Whether joining ``path`` is staying where minirun is: the same nsfs inode."""
    try:
        return os.path.samefile(path, f"/proc/self/ns/{'net' if kind == 'network' else kind}")
    except OSError:  # gone or unreadable: joining it will say so
        return False


def parse(words: Iterable[str]) -> dict[str, str]:
    """docker's ``--sysctl NAME=VALUE``. Raises UsageError."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise UsageError(
                f"--sysctl {word!r} is not understood",
                "it wants NAME=VALUE",
                "as in --sysctl net.ipv4.ip_forward=1",
            )
        found[name] = value
    return found
