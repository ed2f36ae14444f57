"""The securityContext of a pod and of a container, in the words of `run`: who it is, and what it may.

Layer: pod. The pod has one for all of its containers, and each may have its own, of
which every field that is there wins. Used by ``member.py``. Kubernetes, "Configure a
Security Context for a Pod or Container".
"""

from __future__ import annotations

import os

from minirun.errors import NotFound
from minirun.image import lookup
from minirun.pod.environment import CreateContainerConfigError
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from minirun.image.config import Image
    from minirun.pod.manifest.types import Capabilities, Container, PodSpec

#: Where localhostProfile is looked for: the kubelet's own directory.
SECCOMP = "/var/lib/kubelet/seccomp"


def options_of(spec: PodSpec, container: Container, image: Image) -> dict[str, Any]:
    """What the two say together, as fields of Options; the container's word wins."""
    own, pods = container.securityContext, spec.securityContext
    said: dict[str, Any] = {}
    options: list[str] = []

    def word(name: str) -> object:
        """The container's, or else the pod's."""
        mine = getattr(own, name, None) if own else None
        return getattr(pods, name, None) if mine is None and pods else mine

    user, group = word("runAsUser"), word("runAsGroup")
    strict = pods is not None and pods.supplementalGroupsPolicy == "Strict"
    more: list[int] = []
    if user is not None or group is not None or strict:
        who = lookup.user(image.layers, image.config.user if user is None else str(user))
        said["user"] = f"{who.uid}:{who.gid if group is None else group}"
        if not strict:
            more += who.additional_gids[1:]  # of which the image makes it a member
    if pods:
        more += [*pods.supplementalGroups, *([] if pods.fsGroup is None else [pods.fsGroup])]
    said["group_add"] = tuple(str(gid) for gid in dict.fromkeys(more))
    if own and own.readOnlyRootFilesystem:
        said["read_only"] = True
    privileged = bool(own and own.privileged)
    escalates = own is None or own.allowPrivilegeEscalation is not False
    options.append(f"no-new-privileges={'false' if escalates else 'true'}")
    if privileged:
        said["privileged"] = True  # which means every capability, whatever is added or dropped
    else:
        if own and own.capabilities:
            said["cap_add"], said["cap_drop"] = _capabilities(own.capabilities)
        options += _seccomp(word("seccompProfile"))
        apparmor = word("appArmorProfile")
        if apparmor is not None and getattr(apparmor, "type", "") != "RuntimeDefault":
            options.append(f"apparmor={getattr(apparmor, 'localhostProfile', None) or 'unconfined'}")
        if own and own.procMount == "Unmasked":
            options.append("unmask=ALL")
    said["security_opt"] = tuple(options)
    return said


def _capabilities(given: Capabilities) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is added and dropped; of one that is in both lists nothing is left, as runtimes have it."""
    dropped = {name.upper().removeprefix("CAP_") for name in given.drop}
    added = tuple(name for name in given.add if name.upper().removeprefix("CAP_") not in dropped)
    return added, given.drop


def _seccomp(profile: object) -> list[str]:
    """None said is RuntimeDefault here, as a kubelet with --seccomp-default has it."""
    kind = getattr(profile, "type", "RuntimeDefault")
    if kind == "Unconfined":
        return ["seccomp=unconfined"]
    if kind == "Localhost":
        path = os.path.join(SECCOMP, getattr(profile, "localhostProfile", "") or "")
        if not os.path.isfile(path):
            what = f"seccompProfile Localhost: the host has no file {path}"
            raise NotFound(what, "that is where profiles are looked for", "put the profile there")
        return [f"seccomp={path}"]
    return []


def check_user(spec: PodSpec, container: Container, image: Image) -> None:
    """runAsNonRoot, before anything starts: a user that is a name cannot be checked.

    Raises CreateContainerConfigError.
    """
    own, pods = container.securityContext, spec.securityContext
    wanted = own.runAsNonRoot if own and own.runAsNonRoot is not None else pods.runAsNonRoot if pods else None
    if not wanted:
        return
    said = own.runAsUser if own and own.runAsUser is not None else pods.runAsUser if pods else None
    user = str(said) if said is not None else image.config.user.partition(":")[0]
    if user and not user.isdigit():
        why = f"the image's user is {user!r}, and only a number can be told from root's"
    elif not user or int(user) == 0:
        why = "the image runs as root" if said is None else "runAsUser is 0"
    else:
        return
    raise CreateContainerConfigError(
        f"container {container.name} has runAsNonRoot, and would run as root",
        why,
        "set securityContext.runAsUser to the number of another user",
    )
