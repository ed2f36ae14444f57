"""Part of ``specify.py``: what a program may.

``--privileged``, ``--cap-add``, ``--cap-drop`` and ``--security-opt`` become
capability sets, a seccomp profile, the name of an AppArmor profile, and the paths
that are hidden or cannot be written. The defaults are docker's, but that no_new_privs is on.
"""

from __future__ import annotations

import os

from minirun.container.options import Options
from minirun.errors import Unsupported, UsageError
from minirun.isolation import apparmor, privileges
from minirun.isolation.mounts.defaults import masked_paths, readonly_paths
from minirun.linux import capability
from minirun.spec import Capabilities, Seccomp
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable

#: Our own allowlist, written out in isolation/syscall_filter.
DEFAULT_SECCOMP = Seccomp(defaultAction="SCMP_ACT_ERRNO", profile="default")


class Privileges(Value):
    """What ends up in three places of the Spec."""

    capabilities: Capabilities = Capabilities()
    no_new_privileges: bool = True
    seccomp: Seccomp | None = DEFAULT_SECCOMP
    apparmor: str = ""
    masked: tuple[str, ...] = ()
    readonly: tuple[str, ...] = ()


def privileges_of(options: Options, uid: int) -> Privileges:
    """The privileges of a container whose program runs as ``uid``.

    Raises UsageError for an option that is not understood, Unsupported for
    SELinux labels.
    """
    found = Privileges(
        capabilities=privileges.sets(_capabilities(options), uid),
        seccomp=None if options.privileged else DEFAULT_SECCOMP,
        apparmor="" if options.privileged else apparmor.default_profile(),
        masked=masked_paths(options.privileged, _throttled_cpus()),
        readonly=readonly_paths(options.privileged),
    )
    for word in options.security_opt:
        name, _, value = word.partition("=")
        reader = _READERS.get(name)
        if reader is None:
            raise _not_understood(
                word, f"there is no option {name!r}", f"the options are {', '.join(_READERS)}"
            )
        found = reader(found, value, word)
    return found


def _throttled_cpus() -> int:
    """How many CPUs have a folder that counts their thermal throttling; all or none."""
    if not os.path.exists("/sys/devices/system/cpu/cpu0/thermal_throttle"):
        return 0
    return os.cpu_count() or 0


def _capabilities(options: Options) -> tuple[str, ...]:
    every = capability.available(user_namespace=options.userns != "host")
    base = every if options.privileged else capability.DEFAULT
    return capability.resolve(base, options.cap_add, options.cap_drop, every)


def _no_new_privileges(found: Privileges, value: str, word: str) -> Privileges:
    if value not in ("", "true", "false"):
        raise _not_understood(word, "it is a switch", "use no-new-privileges=true or no-new-privileges=false")
    return replace(found, no_new_privileges=value != "false")


def _seccomp(found: Privileges, value: str, word: str) -> Privileges:
    if value == "unconfined":
        return replace(found, seccomp=None)
    if value in ("builtin", "default"):
        return replace(found, seccomp=DEFAULT_SECCOMP)
    if not value:
        raise _not_understood(word, "no profile is named", "use seccomp=unconfined or seccomp=FILE.json")
    try:
        with open(value, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise _not_understood(
            word,
            f"the profile cannot be read: {error.strerror}",
            "use seccomp=unconfined or seccomp=FILE.json",
        ) from error
    from minirun.container import seccomp_file

    allowed = found.capabilities.bounding
    return replace(found, seccomp=seccomp_file.read(raw, f"the seccomp profile {value}", allowed))


def _apparmor(found: Privileges, value: str, word: str) -> Privileges:
    if not value:
        raise _not_understood(word, "no profile is named", "use apparmor=NAME or apparmor=unconfined")
    return replace(found, apparmor=value)


def _label(found: Privileges, value: str, word: str) -> Privileges:
    if value == "disable":
        return found  # none is ever applied
    raise Unsupported(
        f"--security-opt {word} is not supported", "minirun does not apply SELinux labels", "leave it out"
    )


def _system_paths(found: Privileges, value: str, word: str) -> Privileges:
    if value != "unconfined":
        raise _not_understood(word, "it takes one value", "use systempaths=unconfined")
    return replace(found, masked=(), readonly=())


def _mask(found: Privileges, value: str, word: str) -> Privileges:
    paths = _paths(value, word)
    return replace(found, masked=tuple(dict.fromkeys([*found.masked, *paths])))


def _unmask(found: Privileges, value: str, word: str) -> Privileges:
    if value.upper() == "ALL":
        return replace(found, masked=(), readonly=())
    paths = _paths(value, word)
    hidden = {*found.masked, *found.readonly}
    if unknown := [path for path in paths if path not in hidden]:
        raise _not_understood(
            word, f"{', '.join(unknown)} is not masked", f"masked are {', '.join(sorted(hidden))}"
        )
    return replace(
        found,
        masked=tuple(path for path in found.masked if path not in paths),
        readonly=tuple(path for path in found.readonly if path not in paths),
    )


def _paths(value: str, word: str) -> list[str]:
    paths = value.split(":")
    if any(not path.startswith("/") for path in paths):
        raise _not_understood(word, "a path has to begin with /", "give paths with : between them")
    return paths


_READERS: dict[str, Callable[[Privileges, str, str], Privileges]] = {
    "no-new-privileges": _no_new_privileges,
    "seccomp": _seccomp,
    "apparmor": _apparmor,
    "label": _label,
    "systempaths": _system_paths,
    "mask": _mask,
    "unmask": _unmask,
}


def _not_understood(word: str, why: str, remedy: str) -> UsageError:
    return UsageError(f"--security-opt {word} is not understood", why, remedy)
