"""From a container's privileges to a securityContext.

Part of ``generate_container.py``: what differs from a pod's defaults, and no more.
"""

from __future__ import annotations

from minirun.container.specify import USUAL_SYSCTLS
from minirun.image import lookup
from minirun.linux import capability
from minirun.pod.manifest.rules_security import SAFE_SYSCTLS
from minirun.pod.manifest.types import Capabilities, SeccompProfile, SecurityContext
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from minirun.image.config import Image
    from minirun.spec import Spec


def security(spec: Spec, image: Image) -> SecurityContext | None:
    """The container's own; None where all is as usual."""
    process, linux = spec.process, spec.linux
    account = lookup.user(image.layers, image.config.user)
    user = process.user
    said: dict[str, Any] = {}
    if (user.uid, user.gid) != (account.uid, account.gid):
        said |= {"runAsUser": user.uid, "runAsGroup": user.gid}
    if spec.root.readonly:
        said["readOnlyRootFilesystem"] = True
    if is_privileged(spec):
        return SecurityContext(privileged=True, **said)
    held, usual = set(process.capabilities.bounding), set(capability.DEFAULT)
    if held != usual:
        said["capabilities"] = _capabilities(held, usual)
    if process.noNewPrivileges and "CAP_SYS_ADMIN" not in held:
        said["allowPrivilegeEscalation"] = False
    if linux.seccomp is None:
        said["seccompProfile"] = SeccompProfile(type="Unconfined")
    if not linux.maskedPaths and not linux.readonlyPaths and any(n.type == "user" for n in linux.namespaces):
        said["procMount"] = "Unmasked"
    return SecurityContext(**said) if said else None


def _capabilities(held: set[str], usual: set[str]) -> Capabilities:
    """What is added and dropped; from none on, where that is shorter."""
    add, drop = held - usual, usual - held
    if len(drop) > len(held):
        return Capabilities(add=_short(held), drop=("ALL",))
    return Capabilities(add=_short(add), drop=_short(drop))


def _short(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix("CAP_") for name in names))


def is_privileged(spec: Spec) -> bool:
    """Whether it may all that the host can give."""
    everything = set(capability.available())
    allowed = set(spec.process.capabilities.bounding) >= everything
    return allowed and spec.linux.seccomp is None and not spec.linux.maskedPaths


def sysctls(spec: Spec) -> dict[str, str]:
    """Those that a pod may set, but for what every container has."""
    given = spec.linux.sysctl
    return {key: value for key, value in given.items() if key in SAFE_SYSCTLS and key not in USUAL_SYSCTLS}
