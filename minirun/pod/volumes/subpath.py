"""subPath: a part of a volume, from which no link leads out.

Part of ``pod/volumes``. A container that may write to a volume can put a link
where the next one wants its part: to /etc of the host, or swapped at the right
moment (CVE-2017-1002101, CVE-2021-25741). So the part is opened by openat2(2) with
``RESOLVE_BENEATH``, which follows links only as long as they stay inside, and
the descriptor, not the path, is bound to a place that is root's alone; the
container mounts that. It is resolved anew before each start. See openat2(2),
open_tree(2). Read ``sweep.py`` next.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.errors import Conflict, InvalidInput, StepFailed, Unsupported, hint, reason
from minirun.linux import mount
from minirun.linux.mount import MountFlag
from minirun.linux.path import Resolve, make_directory, openat2
from minirun.pod.volumes import mounting, sweep
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minirun.pod.manifest.types import Container
    from minirun.pod.volumes.planned import VolumePlan

#: Links are followed while they stay inside (a key of a ConfigMap is one); /proc's own never.
_INSIDE = Resolve.BENEATH | Resolve.NO_MAGICLINKS


def prepare(container: Container, plan: VolumePlan, variables: Mapping[str, str]) -> None:
    """What has to be done before each start of ``container``, for ``mounts`` to be true.

    Raises InvalidInput where a subPath leads out of its volume, Conflict where
    the host's mounts do not allow a mountPropagation.
    """
    for number, each in enumerate(container.volumeMounts):
        volume = mounting.volume_of(container, each, plan)
        how = mounting.propagation_of(container, each)
        if how != "rprivate" and volume.path:
            _check_propagation(volume.path, how, each.mountPropagation or "")
        path = mounting.subpath_of(container, each, variables)
        mapped = mounting.is_mapped(plan.places, volume, path)
        if volume.path and (path or mapped):
            target = plan.places.subpath(container.name, number)
            owner = plan.places.first_id if volume.kind == "emptyDir" else 0
            users = plan.places.users if mapped else ""
            bind(volume.path, path, target, how, not volume.readonly, owner, users)


def _show_bind(volume: str, path: str, target: str, _how: str, _make: bool, _owner: int, users: str) -> str:
    opened = f'openat2("{volume}", "{path}", {{resolve={_INSIDE}}})' if path else f'"{volume}"'
    mapped = f"mount_setattr(MOUNT_ATTR_IDMAP, {users}), " if users else ""
    return f'open_tree({opened}), {mapped}move_mount("{target}")'


@syscall("open_tree", show=_show_bind)
def bind(volume: str, path: str, target: str, how: str, make: bool, owner: int = 0, users: str = "") -> None:
    """Binds ``path`` inside the directory ``volume``, or all of it, to ``target``, instead of what was there.

    With ``make`` it becomes a directory where nothing is, like the volume's own
    and ``owner``'s. Owners are shown as the user namespace ``users`` maps them.
    Raises InvalidInput if the path leads out of the volume.
    """
    found = find(volume, path, make, owner) if path else os.open(volume, os.O_PATH | os.O_CLOEXEC)
    try:
        _clear(target)
        _place(target, stat.S_ISDIR(os.fstat(found).st_mode))
        # By the magic link: exactly what was opened, whatever the path leads to by now.
        tree = mount.open_tree(f"/proc/self/fd/{found}", recursive=True)
        try:
            if users:
                _map_ids(tree, users, volume)
            if how != "rshared":
                # Cut off from the volume's mount: what is undone here must not be undone there.
                cut = MountFlag.SLAVE if how == "rslave" else MountFlag.PRIVATE
                mount.mount_setattr(tree, True, 0, 0, cut)
            mount.move_mount(tree, target)
        finally:
            os.close(tree)
    finally:
        os.close(found)


def _map_ids(tree: int, users: str, volume: str) -> None:
    """Of the mount itself: those below it may be of file systems that cannot, as /proc's."""
    try:
        mount.idmap(tree, users)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Unsupported(
            f"hostUsers: false, with a volume at {volume}",
            "its file system cannot map ids, so its files would be nobody's in the pod",
            "use a directory of another file system, or leave hostUsers out",
        ) from error


def find(volume: str, path: str, make: bool = False, owner: int = 0) -> int:
    """An O_PATH descriptor of ``path`` inside the directory ``volume``. Raises InvalidInput."""
    top = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            return openat2(top, path, os.O_PATH, 0, _INSIDE)
        except FileNotFoundError:
            if not make:
                raise
            return _make(top, path, owner)
    except OSError as error:
        why = {
            errno.EXDEV: "a link in it leads out of the volume",
            errno.ELOOP: "its links lead nowhere but to one another",
            errno.ENOENT: "it is not there, and cannot be made: by a link, or in what is read-only",
            errno.ENOTDIR: "something on the way is a file",
        }.get(error.errno or 0)
        if why is None:
            raise StepFailed(f"subPath {path!r} cannot be mounted", reason(error), hint(error)) from error
        raise InvalidInput(
            f"subPath {path!r} cannot be mounted", why, "look at what the volume has there"
        ) from error
    finally:
        os.close(top)


def _make(top: int, path: str, owner: int) -> int:
    """Makes the missing directories of ``path``, each only inside ``top``."""
    mode = stat.S_IMODE(os.fstat(top).st_mode) & 0o777
    parts = [part for part in path.split("/") if part not in ("", ".")]
    above = os.dup(top)
    for depth, part in enumerate(parts, 1):
        try:
            try:
                os.mkdir(part, 0o700, dir_fd=above)
                _settle(above, part, mode, owner)
            except FileExistsError:
                pass
            # From the top again, not from above: a link may lead up, as long as it stays inside.
            here = openat2(top, "/".join(parts[:depth]), os.O_PATH | os.O_DIRECTORY, 0, _INSIDE)
        finally:
            os.close(above)
        above = here
    return above


def _settle(above: int, name: str, mode: int, owner: int) -> None:
    """Owner and mode of a new directory; its group and set-group-ID come from the one above."""
    new = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        inherited = os.fstat(new)
        if owner:
            in_group = inherited.st_mode & stat.S_ISGID
            os.fchown(new, owner, -1 if in_group else owner)
        os.fchmod(new, mode | inherited.st_mode & stat.S_ISGID)
    finally:
        os.close(new)


def _clear(target: str) -> None:
    """Takes away what an earlier start has left at ``target``."""
    if os.path.lexists(target):
        sweep.sweep(target)


def _place(target: str, directory: bool) -> None:
    make_directory(os.path.dirname(target), 0o700)
    if directory:
        os.mkdir(target, 0o700)
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _check_propagation(path: str, how: str, said: str) -> None:
    """Raises Conflict where the kernel would mount it, and nothing would ever come through."""
    kinds = sweep.propagation(path)
    wanted = ("shared",) if how == "rshared" else ("shared", "master")
    if not any(kind in kinds for kind in wanted):
        raise Conflict(
            f"mountPropagation {said} cannot work for {path}",
            "it lies in a mount of the host's that is private",
            f"mount --make-shared the mount that has it (findmnt -T {path}), or leave it out",
        )
