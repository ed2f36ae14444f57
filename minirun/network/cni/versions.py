"""The versions of the CNI specification: which are known, and which one is spoken.

Layer ``network``, part of ``cni``. A configuration says in which version it is
written (``cniVersion``), and since 1.1.0 it may list several (``cniVersions``);
then each plugin is asked with VERSION, and the highest that all know is used.
SPEC.md, "VERSION". Part of ``config.py`` and ``chain.py``.
"""

from __future__ import annotations

from minirun.errors import Unsupported
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: In order. 0.2.0 brought VERSION, 0.3.0 chains, 0.4.0 CHECK, 1.1.0 GC and STATUS.
KNOWN = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


def usable(said: str, more: Sequence[str], path: str) -> tuple[str, ...]:
    """Those of a configuration's versions that minirun knows, the highest first. Raises Unsupported."""
    named = {said, *more} if said else {*more} or {"0.1.0"}  # what a file without one is written in
    found = sorted(named.intersection(KNOWN), key=KNOWN.index, reverse=True)
    if not found:
        raise Unsupported(
            f"{path} is written in CNI {', '.join(sorted(named))}",
            f"minirun speaks {', '.join(KNOWN)}",
            "set cniVersion to one of these",
        )
    return tuple(found)


def agreed(candidates: Sequence[str], offers: Mapping[str, Sequence[str]], name: str) -> str:
    """The first of ``candidates`` that every plugin offers (its type -> its versions). Raises Unsupported."""
    for version in candidates:
        if all(version in offer for offer in offers.values()):
            return version
    told = "; ".join(f"{kind} speaks {', '.join(offer) or 'none'}" for kind, offer in offers.items())
    raise Unsupported(
        f"the plugins of CNI network {name} have no version in common",
        f"the configuration allows {', '.join(candidates)}; {told}",
        "set cniVersion to one that all of them speak, or bring other plugins",
    )


def at_least(version: str, wanted: str) -> bool:
    """Whether ``version`` is ``wanted`` or later."""
    return KNOWN.index(version) >= KNOWN.index(wanted)
