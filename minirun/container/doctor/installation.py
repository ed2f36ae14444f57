"""The doctor on minirun itself: its C programs, its images, and what a crash left."""

from __future__ import annotations

import shutil

from minirun import native
from minirun.container.doctor.finding import Finding, fail, is_root, ok, takes_root, warn
from minirun.container.locks import is_looked_after
from minirun.container.state import Store
from minirun.errors import Unsupported
from minirun.image import store as images_store
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.state import Home

NATIVE = ("monitor", "init")

#: Program -> its Debian package, and what it is good for.
PROGRAMS = {
    "ip": ("iproute2", "looking at a container's network"),
    "lsns": ("util-linux", "looking at namespaces"),
    "nsenter": ("util-linux", "walking into namespaces"),
    "strace": ("strace", "comparing with `run --trace`"),
    "mmdebstrap": ("mmdebstrap", "building the debian image"),
}


def native_programs(root: str, state: str) -> Iterator[Finding]:
    """The C programs beside a container."""
    for name in NATIVE:
        try:
            yield ok(f"native {name}", native.path(name))
        except Unsupported as error:
            yield fail(f"native {name}", error.why, error.remedy)


def programs(root: str, state: str) -> Iterator[Finding]:
    """Programs that a learner wants at hand; minirun itself needs none of them."""
    for name, (package, use) in PROGRAMS.items():
        path = shutil.which(name)
        if path:
            yield ok(f"program {name}", path)
        else:
            yield warn(f"program {name}", f"not installed; it is good for {use}", f"apt install {package}")


def images(root: str, state: str) -> Iterator[Finding]:
    """Whether there is anything to run."""
    names = [name for name, _ in images_store.names(root)]
    if names:
        shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        yield ok("images", f"{len(names)} in {root}: {shown}")
    else:
        yield warn("images", f"none in {root}", "make images, or minirun load -i FILE")


def leftovers(root: str, state: str) -> Iterator[Finding]:
    """Containers with nobody behind them: the creator or the monitor was killed."""
    if not is_root():
        yield takes_root("leftovers")
        return
    store = Store(root=root, state=state)
    homes = [store.container(id) for id in store.ids()]
    lost = [home.id[:12] for home in homes if _is_lost(home)]
    if lost:
        yield warn("leftovers", f"nobody looks after {', '.join(lost)}", "minirun gc")
    else:
        yield ok("leftovers", f"none among {len(homes)} containers")


def _is_lost(home: Home) -> bool:
    ended = home.exists() and (home.exit() is not None)
    return not ended and not is_looked_after(home)
