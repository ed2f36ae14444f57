"""Namespaces borrowed from other containers: an id in the record, a pid in the Spec.

Layer ``container``. A namespace is joined through /proc/PID, and a pid lasts as
long as its process. Whoever starts an ended container again must not meet
whatever process has the old number by then: so the record keeps the id of the
other container, and the Spec's paths are written anew. Read ``start.py`` next.
"""

from __future__ import annotations

from minirun.container.options import Options
from minirun.container.state import Record, Store
from minirun.spec import Mount, Namespace, Spec
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable


def lenders(options: Options, store: Store) -> dict[str, str]:
    """The Spec's kind of namespace -> the id of the container that lends it. Raises NotFound."""
    wishes = {
        "ipc": options.ipc,
        "pid": options.pid,
        "network": options.network_mode,
        "user": options.userns,
        "uts": options.uts,
        "cgroup": options.cgroupns,
    }
    split = {kind: wish.partition(":") for kind, wish in wishes.items()}
    return {kind: store.find(name).id for kind, (how, _, name) in split.items() if how == "container"}


def renewed(record: Record, pid_of: Callable[[str], int]) -> Spec:
    """The Spec of ``record`` with the pids that the lenders have now.

    ``pid_of`` gives the pid of a running container by its id, and raises
    Conflict for one that does not run.
    """
    spec = record.spec
    for kind, id in record.lenders.items():
        spec = _with_pid(spec, kind, pid_of(id))
    return spec


def _with_pid(spec: Spec, kind: str, pid: int) -> Spec:
    old = next(each.path for each in spec.linux.namespaces if each.type == kind)
    before = old.rpartition("/ns/")[0]

    def namespace(each: Namespace) -> Namespace:
        if each.type != kind:
            return each
        return replace(each, path=each.path.replace(before, f"/proc/{pid}", 1))

    def mount(each: Mount) -> Mount:
        if kind != "ipc" or not each.source.startswith(f"{before}/root/"):
            return each
        return replace(each, source=each.source.replace(before, f"/proc/{pid}", 1))

    linux = replace(spec.linux, namespaces=tuple(map(namespace, spec.linux.namespaces)))
    return replace(spec, linux=linux, mounts=tuple(map(mount, spec.mounts)))
