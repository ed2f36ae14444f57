"""From a container's volumeMounts to the mounts of its Spec.

Part of ``pod/volumes``, pure. Each is a bind mount of a place on the host:

    readOnly                       ro; what is mounted below may still be written to
    recursiveReadOnly              rro: nothing below either
    mountPropagation               None rprivate, HostToContainer rslave, Bidirectional rshared
    subPath, subPathExpr           a part of the volume; subpath.py puts it where this says
    hostUsers: false               subpath.py maps the ids of what is not the pod's alone

What is mounted deeper comes later, so that nothing is hidden. Read ``subpath.py``
next; ``isolation/mounts/options.py`` has the words. Kubernetes: VolumeMount.
"""

from __future__ import annotations

import os

from minirun.errors import InvalidInput, Unsupported
from minirun.isolation.mounts.options import VOLUME
from minirun.pod import expansion
from minirun.spec import Mount
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minirun.pod.manifest.types import Container, VolumeMount
    from minirun.pod.volumes.planned import Places, Planned, VolumePlan

_PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}

#: mount(2) of an overlay takes one page of options.
_PAGE = 4095


def mounts(container: Container, plan: VolumePlan, variables: Mapping[str, str]) -> tuple[Mount, ...]:
    """The mounts that ``container`` asks for; ``variables`` are its environment, for subPathExpr.

    ``prepare`` has to be called before they are used. Raises InvalidInput,
    and Unsupported for what cannot be had here.
    """
    found = [
        _mount(container, number, each, plan, variables) for number, each in enumerate(container.volumeMounts)
    ]
    return tuple(sorted(found, key=lambda mount: mount.destination.count("/")))


def volume_of(container: Container, each: VolumeMount, plan: VolumePlan) -> Planned:
    """The volume that is meant. Raises InvalidInput."""
    if each.name not in plan.volumes:
        raise InvalidInput(
            f"{_said(container, each)}: the pod has no volume of that name",
            f"it has {', '.join(plan.volumes) or 'none'}",
            "add it to spec.volumes, or correct the name",
        )
    return plan.volumes[each.name]


def propagation_of(container: Container, each: VolumeMount) -> str:
    """``rprivate``, ``rslave`` or ``rshared``. Raises InvalidInput."""
    how = each.mountPropagation or "None"
    if how not in _PROPAGATION:
        raise InvalidInput(
            f"{_said(container, each)}: mountPropagation cannot be {how!r}",
            f"there are {', '.join(_PROPAGATION)}",
            "correct it",
        )
    security = container.securityContext
    if how == "Bidirectional" and not (security and security.privileged):
        raise InvalidInput(
            f"{_said(container, each)}: mountPropagation Bidirectional needs a privileged container",
            "what it mounts there appears on the host, and in every container that looks",
            "say HostToContainer, or securityContext.privileged: true",
        )
    return _PROPAGATION[how]


def subpath_of(container: Container, each: VolumeMount, variables: Mapping[str, str]) -> str:
    """The path inside the volume; empty for all of it. Raises InvalidInput."""
    if each.subPath and each.subPathExpr:
        raise InvalidInput(
            f"{_said(container, each)}: it has both subPath and subPathExpr", "", "leave one out"
        )
    missing: list[str] = []
    path = each.subPath or expansion.expand(each.subPathExpr, variables, missing)
    if missing:
        raise InvalidInput(
            f"{_said(container, each)}: subPathExpr uses $({missing[0]})",
            "the container has no variable of that name",
            "define it in env before",
        )
    if path.startswith("/") or ".." in path.split("/") or "\0" in path or (each.subPathExpr and not path):
        raise InvalidInput(
            f"{_said(container, each)}: the subPath cannot be {path!r}",
            "it is a path inside the volume, without ..",
            "correct it",
        )
    return path


def is_mapped(places: Places, volume: Planned, subpath: str) -> bool:
    """Whether it needs an id map of its own, for a user namespace to see who owns what.

    What minirun keeps is seen through the store's (isolation/users.py), which all containers of a
    user namespace have; a part of it, or of the host's tree, is mounted from elsewhere.
    """
    kinds = ("hostPath", "persistentVolumeClaim") if subpath else ("hostPath",)
    return bool(places.first_id) and volume.kind in kinds


def _mount(
    container: Container, number: int, each: VolumeMount, plan: VolumePlan, variables: Mapping[str, str]
) -> Mount:
    volume = volume_of(container, each, plan)
    propagation = propagation_of(container, each)
    subpath = subpath_of(container, each, variables)
    target = os.path.normpath("/" + each.mountPath).replace("//", "/", 1)
    if ":" in target or target == "/":
        raise InvalidInput(
            f"{_said(container, each)}: mountPath cannot be {each.mountPath!r}",
            "it is a path below /, without colons",
            "mount it elsewhere",
        )
    words = [propagation, _access(container, each, volume)]
    words += ["noexec"] if volume.kind == "image" else []  # as in Kubernetes: data, not programs
    if volume.layers:
        return _overlay(container, each, volume, target, subpath, words)
    prepared = subpath or is_mapped(plan.places, volume, subpath)
    source = plan.places.subpath(container.name, number) if prepared else volume.path
    if plan.places.first_id and volume.kind == "persistentVolumeClaim" and not prepared:
        words.append(VOLUME)
    return Mount(destination=target, type="bind", source=source, options=("rbind", *words))


def _access(container: Container, each: VolumeMount, volume: Planned) -> str:
    recursive = each.recursiveReadOnly or "Disabled"
    if recursive not in ("Disabled", "IfPossible", "Enabled"):
        raise InvalidInput(
            f"{_said(container, each)}: recursiveReadOnly cannot be {recursive!r}",
            "there are Disabled, IfPossible and Enabled",
            "correct it",
        )
    if recursive != "Disabled":
        if not each.readOnly:
            raise InvalidInput(
                f"{_said(container, each)}: recursiveReadOnly is for a mount that is read-only",
                "readOnly is not said",
                "add readOnly: true",
            )
        if (each.mountPropagation or "None") != "None":
            raise InvalidInput(
                f"{_said(container, each)}: recursiveReadOnly and mountPropagation contradict each other",
                "what is mounted later would come writable",
                "leave one out",
            )
        return "rro"
    return "ro" if each.readOnly or volume.readonly else "rw"


def _overlay(
    container: Container, each: VolumeMount, volume: Planned, target: str, subpath: str, words: list[str]
) -> Mount:
    """An image in a user namespace: its layers are put together inside the container."""
    lower = ":".join(layer.replace("\\", "\\\\").replace(":", "\\:") for layer in reversed(volume.layers))
    if subpath or len(os.fsencode(lower)) > _PAGE - 64 or "," in lower:
        what = "a part of an image" if subpath else f"an image of {len(volume.layers)} layers"
        raise Unsupported(
            f"{_said(container, each)}: cannot mount {what}",
            "with hostUsers: false it is put together inside the container, which takes no such thing",
            "leave out subPath" if subpath else "leave out hostUsers: false",
        )
    options = (*words, f"lowerdir={lower}", "userxattr")
    return Mount(destination=target, type="overlay", source="overlay", options=options)


def _said(container: Container, each: VolumeMount) -> str:
    return f"container {container.name}: volumeMount {each.name} at {each.mountPath}"
