"""The doctor on namespaces: each of the eight is made, in a child."""

from __future__ import annotations

from minirun.container.doctor.finding import Finding, fail, is_root, ok, takes_root, warn, word
from minirun.linux.namespace import KINDS, CloneFlag, unshare
from minirun.linux.trial import TrialFailed, in_child
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Those that a container does without, if it must.
OPTIONAL = {"user", "time", "cgroup"}


def each(root: str, state: str) -> Iterator[Finding]:
    """Whether the kernel lets us have one of each kind."""
    for kind, (flag, file) in KINDS.items():
        name = f"namespace {kind}"
        if not is_root():
            yield takes_root(name)
            continue
        try:
            in_child(lambda flag=flag: unshare(flag))  # type: ignore[misc]  # bound now, not at the end
        except TrialFailed as error:
            say = warn if kind in OPTIONAL else fail
            yield say(name, f"{CloneFlag(flag)}: {error}", _fix(kind, file))
        else:
            yield ok(name, "made one")


def _fix(kind: str, file: str) -> str:
    if word(f"/proc/sys/user/max_{file}_namespaces") == "0":
        return f"sysctl -w user.max_{file}_namespaces=15000"
    return f"boot a kernel with {'CONFIG_NAMESPACES' if kind == 'mount' else f'CONFIG_{file.upper()}_NS'}=y"


def user_limits(root: str, state: str) -> Iterator[Finding]:
    """The switches that distributions put in front of user namespaces."""
    most = word("/proc/sys/user/max_user_namespaces")
    if most == "0":
        yield warn("user namespaces", "not one is allowed", "sysctl -w user.max_user_namespaces=15000")
    else:
        yield ok("user namespaces", f"up to {most or 'no number of them'}")
    if word("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        yield warn(
            "unprivileged user namespaces",
            "only root may make them; programs in a container may need to",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        )
    elif word("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        yield warn(
            "unprivileged user namespaces",
            "AppArmor restricts them to programs with a profile",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    else:
        yield ok("unprivileged user namespaces", "no switch of a distribution is in the way")
