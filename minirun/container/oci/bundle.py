"""The Spec as a runtime reads it: config.json.

Layer ``container``, pure but for the host's name. minirun's Spec has OCI's names, so
most of it stands there as it is; left out are minirun's own words (layers, endpoints,
options of mounts that begin with x-minirun), written out is what they stand for (the
default syscall filter). Read ``refusals.py`` next; config.md and config-linux.md of
the runtime specification.
"""

from __future__ import annotations

import os

from minirun.container.specify import USUAL_SYSCTLS
from minirun.isolation.mounts import bind
from minirun.isolation.mounts.options import COPY_UP, MAKE_SOURCE, VOLUME
from minirun.spec import Seccomp, Spec
from minirun.values import TYPE_CHECKING, plain, replace

if TYPE_CHECKING:
    from typing import Any

    from minirun.spec import Mount, Namespace, Process

#: The version whose words are used here; newer ones only add to it.
OCI_VERSION = "1.0.2"
_RECURSIVE = {"rro": "ro", "rrw": "rw", "rnosuid": "nosuid", "rnodev": "nodev", "rnoexec": "noexec"}
_OURS = (COPY_UP, MAKE_SOURCE, VOLUME)


def config(spec: Spec, place: str, own_kernel: bool = False) -> dict[str, Any]:
    """config.json of the container, to be written to the directory ``place``.

    ``own_kernel`` is for a runtime that has one (gVisor).
    """
    found: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "root": {"path": spec.root.path, "readonly": spec.root.readonly},
        "process": process(spec.process),
        "mounts": [mount(_found(each, number, place), own_kernel) for number, each in enumerate(spec.mounts)],
        "linux": _linux(spec, own_kernel),
    }
    if hostname := _hostname(spec, own_kernel):
        found["hostname"] = hostname
    if spec.annotations:
        found["annotations"] = dict(spec.annotations)
    return found


def _hostname(spec: Spec, own_kernel: bool) -> str:
    """A kernel of its own has to be told the host's name, where that is the container's."""
    has_own = any(each.type == "uts" for each in spec.linux.namespaces)
    return os.uname().nodename if own_kernel and not has_own else spec.hostname


def process(process: Process) -> dict[str, Any]:
    """The program, with what it may."""
    user: dict[str, Any] = {"uid": process.user.uid, "gid": process.user.gid, **plain(process.user)}
    found: dict[str, Any] = {
        "terminal": process.terminal,
        "user": user,
        "args": list(process.args),
        "env": list(process.env),
        "cwd": process.cwd,
        "capabilities": plain(process.capabilities),
        "rlimits": [plain(each) for each in process.rlimits],
        "noNewPrivileges": process.noNewPrivileges,
    }
    if process.terminal and process.consoleSize:
        box = process.consoleSize
        found["consoleSize"] = {"height": box.height, "width": box.width}
    if process.oomScoreAdj is not None:
        found["oomScoreAdj"] = process.oomScoreAdj
    if process.apparmorProfile:
        found["apparmorProfile"] = process.apparmorProfile
    return found


def borrowed(number: int) -> str:
    """Where in the bundle the mount ``spec.mounts[number]`` is put if it is another container's."""
    return f"borrowed-{number}"


def _found(each: Mount, number: int, place: str) -> Mount:
    return replace(each, source=f"{place}/{borrowed(number)}") if bind.seen_by(each.source)[0] else each


def mount(each: Mount, own_kernel: bool = False) -> dict[str, Any]:
    """One mount, without the words that only minirun knows.

    A kernel of its own sees of a bind one tree of files, and has no word for "those below, too".
    """
    options = [word for word in each.options if word not in _OURS]
    if own_kernel:
        options = [_RECURSIVE.get(word, word) for word in options]
    binds = "bind" in options or "rbind" in options
    kind = each.type or ("bind" if binds else "")
    if kind == "bind" and not binds:
        options.append("bind")
    return {"destination": each.destination, "type": kind, "source": each.source, "options": options}


def _linux(spec: Spec, own_kernel: bool) -> dict[str, Any]:
    linux = spec.linux
    found: dict[str, Any] = {
        "namespaces": [plain(each) for each in _namespaces(spec, own_kernel)],
        "cgroupsPath": linux.cgroupsPath,
        "resources": _resources(spec),
        "maskedPaths": list(linux.maskedPaths),
        "readonlyPaths": list(linux.readonlyPaths),
    }
    if linux.devices:
        found["devices"] = [
            {"fileMode": each.fileMode, "uid": each.uid, "gid": each.gid, **plain(each)}
            | {"major": each.major, "minor": each.minor}
            for each in linux.devices
        ]
    if linux.seccomp:
        found["seccomp"] = _seccomp(linux.seccomp, spec.process.capabilities.bounding)
    if sysctl := _sysctl(spec, own_kernel):
        found["sysctl"] = sysctl
    for name in ("uidMappings", "gidMappings", "timeOffsets"):
        if value := getattr(linux, name):
            found[name] = plain(value)
    if linux.rootfsPropagation != "private":  # unset, a runtime makes it a slave of the host's
        found["rootfsPropagation"] = linux.rootfsPropagation
    return found


def _namespaces(spec: Spec, own_kernel: bool) -> list[Namespace]:
    """Of a kernel of its own, whoever has no PID namespace sees all processes of the pod."""
    found = spec.linux.namespaces
    return [each for each in found if not (own_kernel and each.type == "pid" and each.path)]


def _resources(spec: Spec) -> dict[str, Any]:
    found: dict[str, Any] = plain(spec.linux.resources)
    # A rule that allows nothing stands at its defaults, and would be left out.
    found["devices"] = [{"access": each.access, **plain(each)} for each in spec.linux.resources.devices]
    return found


def _seccomp(wanted: Seccomp, bounding: tuple[str, ...]) -> dict[str, Any]:
    if wanted.profile == "default":
        from minirun.isolation.syscall_filter.profile import default

        wanted = default(bounding)
    return plain(wanted)  # type: ignore[no-any-return]  # of a Value it is a dictionary


def with_usual_sysctls(spec: Spec) -> Spec:
    """``spec`` with those alone."""
    usual = {name: value for name, value in spec.linux.sysctl.items() if USUAL_SYSCTLS.get(name) == value}
    return replace(spec, linux=replace(spec.linux, sysctl=usual))


def _sysctl(spec: Spec, own_kernel: bool) -> dict[str, str]:
    """``domainname`` is a sysctl for the runtimes that do not know the field (before 1.1.0)."""
    found = dict(spec.linux.sysctl)
    if own_kernel:  # it has no such switches, and its programs need no leave for that
        found = {name: value for name, value in found.items() if USUAL_SYSCTLS.get(name) != value}
    if spec.domainname:
        found["kernel.domainname"] = spec.domainname
    return found
