"""The first and the last step of the tree: cut off from the host's, and swapped for it.

Part of ``isolation/mounts``. Read ``populate.py`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.isolation.mounts import bind
from minirun.isolation.mounts.options import PROPAGATION
from minirun.linux import mount, path
from minirun.linux.mount import MountFlag, UmountFlag
from minirun.spec import Spec
from minirun.steps import Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def private_root(spec: Spec) -> Iterator[Step]:
    """Cuts the new mount namespace off from the one it was copied from."""
    propagation(spec.linux.rootfsPropagation)  # a word that is none is refused before anything is done
    yield from bind.pick_up_early(spec)  # while they still are in the host's peer groups
    yield Step(
        "cut the mounts off from the host's",
        Call(mount.mount, None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None),
        why="a copy of the host's mounts passes events on: what is mounted here would appear there",
        chapter="03",
    )


def pivot(spec: Spec) -> Iterator[Step]:
    """Makes the container's root file system ``/``, and lets the host's tree go."""
    yield Step(
        "swap the root",
        Call(path.change_to, Ref(name="rootfs")),
        # pivot_root(2), NOTES: with "." for both the old root is stacked on top
        # of the new one, and no directory to put it is needed in the image.
        Call(mount.pivot_root, ".", "."),
        # "." is the old root, the uppermost now. MNT_DETACH: it is busy, for we
        # stood in it; it goes with all mounts below it at once.
        Call(mount.umount2, ".", UmountFlag.MNT_DETACH),
        # The working directory would be a way back (chroot(2), NOTES).
        Call(path.change_directory, "/"),
        why="chroot(2) moves a process's root and leaves the host's mounts there; this takes them away",
        chapter="03",
    )
    kind = propagation(spec.linux.rootfsPropagation)
    if kind != MountFlag.REC | MountFlag.PRIVATE and kind != MountFlag.PRIVATE:
        yield Step(
            f"make the root {spec.linux.rootfsPropagation}",
            Call(mount.mount, None, "/", None, kind, None),
            why="what is mounted here later is passed on, or not, as the spec says",
            chapter="03",
        )


def propagation(word: str) -> MountFlag:
    """``shared``, ``rslave`` ... as mount(2) takes it. Raises InvalidInput."""
    plain = word[1:] if word not in PROPAGATION else word
    if not word:
        return MountFlag.PRIVATE
    if plain not in PROPAGATION or word not in (plain, "r" + plain):
        raise InvalidInput(
            f"linux.rootfsPropagation cannot be {word!r}",
            f"the kernel knows {', '.join(PROPAGATION)}",
            "choose one of them, with an r before it for all mounts below",
        )
    return PROPAGATION[plain] | (MountFlag.REC if word != plain else MountFlag(0))
