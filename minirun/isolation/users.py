"""User namespaces: root inside, nobody outside.

Layer ``isolation``. The child is born in the namespace; the host side writes
its id maps from outside, then the child becomes id 0 of the inside. The
layers on disk belong to the host's ids, so the whole store is put over itself
once more, id-mapped: the overlay above it then reads and writes through the
map, and containers with different maps share the same layers.
See user_namespaces(7), mount_setattr(2) MOUNT_ATTR_IDMAP (Linux 5.12; below
overlayfs 5.19).
"""

from __future__ import annotations

import os

from minirun.linux import credentials, mount, procfs
from minirun.spec import IDMapping, Spec
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The names under which plan.py hands the id-mapped tree from side to side.
TREE = Ref(name="store_tree")
RECEIVED_TREE = Ref(name="received_store_tree")


def has_namespace(spec: Spec) -> bool:
    """Whether the container lives in a user namespace that is not the host's."""
    return any(ns.type == "user" for ns in spec.linux.namespaces)


def maps(spec: Spec) -> Iterator[Step]:
    """Host side: who is who. A map can be written once, from outside."""
    if not any(ns.type == "user" and not ns.path for ns in spec.linux.namespaces):
        return
    for name, mappings in (("uid", spec.linux.uidMappings), ("gid", spec.linux.gidMappings)):
        yield Step(
            f"write the {name} map",
            Call(procfs.write, Ref(name="init", form=f"/proc/{{}}/{name}_map"), _lines(mappings)),
            why=f"which {name}s of the host stand behind the container's",
            side=HOST,
            chapter="16",
        )


def idmapped_store(spec: Spec) -> Iterator[Step]:
    """Host side: a copy of the store's mount that translates ids."""
    if not has_namespace(spec) or not spec.root.layers:
        return
    yield Step(
        "pick up the store as a mount",
        Call(mount.open_tree, store(spec)),
        why="a detached copy of the mount, attached nowhere yet",
        side=HOST,
        result=TREE.name,
        undo=[Call(os.close, TREE)],
        chapter="16",
    )
    path = next(ns.path for ns in spec.linux.namespaces if ns.type == "user")
    yield Step(
        "map the store's ids",
        Call(mount.idmap, TREE, path or Ref(name="init", form="/proc/{}/ns/user")),
        why="what belongs to root on disk belongs to the container's root through it",
        side=HOST,
        chapter="16",
    )


def enter(spec: Spec) -> Iterator[Step]:
    """Init side: lays the id-mapped store over the store, and becomes root inside."""
    if not has_namespace(spec):
        return
    if spec.root.layers:
        yield Step(
            "lay the id-mapped store over the store",
            Call(mount.move_mount, RECEIVED_TREE, store(spec)),
            why="the same paths, now through the container's ids",
            chapter="16",
        )
    yield Step(
        "become root of the user namespace",
        Call(credentials.setresgid, 0),
        Call(credentials.setresuid, 0),
        why="until now an id that the namespace does not know (shown as 65534)",
        chapter="16",
    )


def store(spec: Spec) -> str:
    """The directory that holds the layers and the upperdir."""
    places = [*spec.root.layers, spec.root.upperdir, spec.root.path]
    return os.path.commonpath([place for place in places if place])


def _lines(mappings: Sequence[IDMapping]) -> str:
    return "\n".join(f"{m.containerID} {m.hostID} {m.size}" for m in mappings)
