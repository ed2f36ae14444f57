"""The doctor: what this host can do for containers, and how to fix the rest.

Layer ``container``. Each check is a small function that asks the kernel itself
where it can, by trying in a child (``linux/trial.py``), and gives Findings: a
name, a verdict, what was found, and what to do about it. ``fail`` means that
containers do not start; ``warn``, that some feature will be refused.
The files, in the order of the report: kernel, rights, namespaces, storage,
cgroups, limits, network, installation.
"""

from __future__ import annotations

from minirun.container.doctor import (
    cgroups,
    installation,
    kernel,
    limits,
    namespaces,
    network,
    rights,
    storage,
)
from minirun.container.doctor.finding import Finding, fail
from minirun.errors import MinirunError
from minirun.linux.trial import TrialFailed
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CHECKS", "Finding", "examine"]

#: Every check, in the order of the report. They are given root and state.
CHECKS: tuple[Callable[[str, str], Iterator[Finding]], ...] = (
    kernel.version,
    kernel.features,
    rights.root,
    rights.capabilities,
    rights.seccomp,
    rights.security_modules,
    rights.apparmor_profiles,
    namespaces.each,
    namespaces.user_limits,
    storage.overlay,
    storage.idmapped,
    storage.space,
    cgroups.each,
    cgroups.unified,
    limits.files,
    limits.processes,
    network.nftables,
    network.forwarding,
    installation.native_programs,
    installation.programs,
    installation.images,
    installation.leftovers,
)


def examine(root: str, state: str) -> Iterator[Finding]:
    """Runs every check; one that breaks is a finding itself.

    ``root`` and ``state`` are minirun's two directories, which need not exist.
    """
    for check in CHECKS:
        try:
            yield from check(root, state)
        except (OSError, MinirunError, TrialFailed) as error:
            name = f"{check.__module__.rpartition('.')[2]} {check.__name__}"
            text = " ".join(str(error).split())
            yield fail(name, f"could not be examined: {text}", "run it as root, with /proc and /sys mounted")
