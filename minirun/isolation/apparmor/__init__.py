"""AppArmor: a list of what a program may do with files, mounts and other processes.

On layer ``isolation``. Capabilities and the syscall filter ask who calls and which call it is;
AppArmor also knows the path. A profile is loaded into the kernel once, by apparmor_parser(8),
and a process takes it on by name at its next execve(2); its children inherit it. Where
the host has AppArmor and nobody named a profile, containers get our own (``profile.py``,
read it next). ``linux/apparmor.py`` are the files behind this. See apparmor.d(5).
"""

from __future__ import annotations

from minirun.errors import NotFound, Unsupported
from minirun.linux import apparmor
from minirun.steps import HOST, Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.spec import Spec

#: Our own profile. A loaded one is not compared with the text again, so the number is
#: to be raised with every change of the text. A test holds the two together.
DEFAULT = "minirun-default-1"
UNCONFINED = "unconfined"

_CHAPTER = "07"
_SHOWN = 5  # names of profiles in an error


def default_profile() -> str:
    """The profile of a container for which nobody named one; "" where this host has none to give."""
    return "" if lacking() else DEFAULT


def lacking() -> tuple[str, str] | None:
    """Why containers get no profile by default, and what to do; None where they get one."""
    if not apparmor.enabled():
        return "it is not enabled in this kernel", "boot with apparmor=1 security=apparmor"
    if not apparmor.has_interface():
        return "its files cannot be seen", "mount -t securityfs securityfs /sys/kernel/security"
    if not apparmor.parser():
        return "apparmor_parser, which loads profiles, is not there", "apt-get install apparmor"
    if (own := apparmor.current()) != UNCONFINED:
        return f"minirun itself is confined by {own}", "start minirun unconfined, or name a loaded profile"
    return None


def check(spec: Spec) -> None:
    """Refuses a profile that this host does not have, before anything is made.

    Raises NotFound. Where the kernel's list cannot be read, the kernel says so itself
    when init asks for the profile.
    """
    profile = _profile(spec)
    if not profile or profile in (DEFAULT, UNCONFINED) or profile.startswith(":"):
        return  # ":NAMESPACE:..." is of a list that is not ours
    loaded = apparmor.profiles()
    if loaded is None:
        return
    for name in profile.split("//&"):  # a stack: all of them hold
        if name not in loaded and name != UNCONFINED:
            raise NotFound(f"the AppArmor profile {name!r} is not loaded", _known(loaded), _REMEDY)


_REMEDY = "load it with apparmor_parser -r FILE; or leave it out, or use apparmor=unconfined"


def _known(loaded: dict[str, str]) -> str:
    names = sorted(loaded)
    if not names:
        return "the kernel has no profile at all"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"the kernel knows {', '.join(names[:_SHOWN])}{more} (aa-status lists them)"


def host_steps(spec: Spec) -> Iterator[Step]:
    """Our own profile is loaded by the first container that needs it."""
    if _profile(spec) != DEFAULT:
        return
    from minirun.isolation.apparmor import profile

    yield Step(
        f"load the AppArmor profile {DEFAULT}",
        Call(apparmor.load, DEFAULT, profile.TEXT),
        why="the kernel keeps it until the machine goes down, so only the first container after a boot pays",
        side=HOST,
        chapter=_CHAPTER,
    )


def init_steps(spec: Spec) -> Iterator[Step]:
    """Asks for the profile; early, so that its lack fails the creation and not the start."""
    profile = _profile(spec)
    if not profile:
        return
    yield Step(
        f"ask for the AppArmor profile {profile}",
        Call(apparmor.change_on_exec, profile),
        Call(apparmor.on_exec),
        why="it holds from the next execve on; through the host's /proc, which no image can have covered",
        chapter=_CHAPTER,
    )


def _profile(spec: Spec) -> str:
    """What the Spec asks for; "" where there is nothing to do. Raises Unsupported without AppArmor."""
    profile = spec.process.apparmorProfile
    if not profile or apparmor.enabled():
        return profile
    if profile == UNCONFINED:
        return ""
    raise Unsupported(
        f"the AppArmor profile {profile!r} cannot be applied",
        "AppArmor is not enabled in this kernel",
        "leave the profile out, or boot with apparmor=1 security=apparmor",
    )
