"""The root file system: shared read-only layers, and a directory for the changes.

Layer ``isolation``. overlayfs shows several directories as one: the layers
(``lowerdir``, read-only, shared by every container of the image) and on top the
container's own ``upperdir``, which receives all that is written. ``workdir`` is
overlayfs' own scratch space beside it. The mount is made inside the
container's mount namespace, so it goes with the container's last process.
See the kernel's Documentation/filesystems/overlayfs.rst, mount(2). Read
``mounts/__init__.py`` next.
"""

from __future__ import annotations

import os

from minirun.linux import mount as kernel
from minirun.linux import mountpoint, path
from minirun.linux.mount import MountFlag
from minirun.spec import Root, Spec
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A descriptor of the mounted root file system: whatever is made inside goes through it.
ROOTFS = Ref(name="rootfs")

#: mount(2) copies one page of options; the rest would be cut off.
_PAGE = 4095


def host_steps(spec: Spec) -> Iterator[Step]:
    """Makes the container's own directories: for the changes, and to mount on."""
    if not spec.root.layers:
        return
    root = spec.root
    for name, place, why in (
        ("the upperdir", root.upperdir, "all that the container writes goes here: its layers are shared"),
        ("the workdir", root.workdir, "overlayfs prepares files here, and renames them into the upperdir"),
        ("the mount point of the root file system", root.path, "layers and upperdir are seen here as one"),
    ):
        made = f"made {place}"
        yield Step(
            f"make {name}",
            # The upperdir's mode is that of the container's "/": everyone may pass.
            Call(path.make_directory, place, 0o755),
            why=why,
            side=HOST,
            result=made,
            undo=[Call(path.remove_made, place, Ref(name=made))],
            chapter="06",
        )


def mount(spec: Spec) -> Iterator[Step]:
    """Puts the root file system together at ``spec.root.path``."""
    if spec.root.layers:
        yield _overlay(spec)
    else:
        yield Step(
            "make the root file system a mount",
            Call(kernel.mount, spec.root.path, spec.root.path, None, MountFlag.BIND | MountFlag.REC, None),
            why="pivot_root(2) wants a mount point: a directory bound to itself is one",
            chapter="03",
        )
    yield Step(
        "hold on to the root file system",
        Call(path.open_directory, spec.root.path),
        why="from here on every path is resolved inside it, whatever symlinks the image has",
        result=ROOTFS.name,
        chapter="03",
    )


def _overlay(spec: Spec) -> Step:
    root = spec.root
    data = options(root, _own_user_namespace(spec))
    if len(os.fsencode(data)) <= _PAGE:
        call = Call(kernel.mount, "overlay", root.path, "overlay", MountFlag(0), data)
    else:
        short = options(root, _own_user_namespace(spec), lowerdir="{}")
        call = Call(mountpoint.mount_layers, root.path, list(reversed(root.layers)), short)
    return Step(
        "mount the root file system",
        call,
        why=f"{_counted(root.layers)} below the upperdir: a file is copied up when it is first written to",
        chapter="06",
    )


def _counted(layers: tuple[str, ...]) -> str:
    return "a read-only layer" if len(layers) == 1 else f"{len(layers)} read-only layers, the topmost first,"


def options(root: Root, userns: bool, lowerdir: str = "") -> str:
    """overlayfs' options for ``root``, as mount(2) takes them.

    ``lowerdir`` has the topmost layer first, an image the lowest. In a user
    namespace whiteouts are kept in ``user.`` attributes (``userxattr``, Linux
    5.11), for ``trusted.`` ones are the host's root's alone.
    """
    lower = lowerdir or ":".join(_escaped(layer, ":") for layer in reversed(root.layers))
    words = [f"lowerdir={lower}"]
    words += [f"upperdir={_escaped(root.upperdir)}", f"workdir={_escaped(root.workdir)}"]
    # Whatever the distribution's defaults are: an upperdir that is nothing but
    # the difference, with no references into the layers, can be made a layer.
    words += ["redirect_dir=nofollow", "metacopy=off", "index=off"]
    if userns:
        words.append("userxattr")
    if root.volatile:
        words.append("volatile")  # no sync at the end, Linux 5.10
    return ",".join(words)


def _escaped(place: str, more: str = "") -> str:
    """A path in which overlayfs' own separators are not separators."""
    for sign in "\\," + more:
        place = place.replace(sign, "\\" + sign)
    return place


def _own_user_namespace(spec: Spec) -> bool:
    return any(namespace.type == "user" for namespace in spec.linux.namespaces)
