"""Where a volume lies: an empty directory, memory, or the layers of an image.

Part of ``pod/volumes``. Each function finds its work done if it was done before,
and leaves nothing half-made that would be taken for done: a directory gets its
owner and mode under another name, and a mount has its own from the start. See
tmpfs(5), Documentation/filesystems/overlayfs.rst. Read ``payload.py`` next.
"""

from __future__ import annotations

import errno
import os

from minirun.linux import mount, mountpoint
from minirun.linux.mount import MountFlag
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Whoever runs in the pod, as whatever user, may write; Kubernetes has it so.
MODE = 0o777

_SETGID = 0o2000
_NEW = ".new"  # no volume has a dot in its name


class Owner(Value):
    """Whose a volume is, in the host's ids. ``shared``: the group is fsGroup, and new files get it."""

    uid: int = 0
    gid: int = 0
    shared: bool = False

    @property
    def mode(self) -> int:
        """That of the volume's own directory."""
        return MODE | (_SETGID if self.shared else 0)


@syscall("mkdir", show=lambda place, owner: f'mkdir("{place}", {owner.mode:#o})')
def make(place: str, owner: Owner) -> bool:
    """Makes the directory ``place``; False if it was there already."""
    if os.path.isdir(place):
        return False
    new = place + _NEW
    try:
        os.mkdir(new)
    except FileExistsError:
        pass  # by somebody who was killed before the end
    os.chown(new, owner.uid, owner.gid)
    os.chmod(new, owner.mode)  # after chown, which clears set-group-ID; and whatever the umask is
    os.rename(new, place)
    return True


def _show_memory(place: str, owner: Owner, size: int) -> str:
    return f'mount("tmpfs", "{place}", "tmpfs", 0, "{_memory(owner, size)},noswap")'


@syscall("mount", show=_show_memory)
def mount_memory(place: str, owner: Owner, size: int) -> bool:
    """Mounts a tmpfs of at most ``size`` bytes (0: half of the machine's memory) at ``place``.

    It is never swapped out where the kernel can do that (Linux 6.4). False if it was there already.
    """
    if not _mountpoint(place):
        return False
    data = _memory(owner, size)
    try:
        mount.mount("tmpfs", place, "tmpfs", MountFlag(0), f"{data},noswap")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        mount.mount("tmpfs", place, "tmpfs", MountFlag(0), data)
    return True


def _memory(owner: Owner, size: int) -> str:
    words = [f"mode={owner.mode:o}", f"uid={owner.uid}", f"gid={owner.gid}"]
    return ",".join(words + ([f"size={size}"] if size else []))


#: As for the root of a container (isolation/overlay.py): a layer is nothing but the difference.
_LAYERS = "lowerdir={},redirect_dir=nofollow,metacopy=off"


def _show_layers(place: str, layers: Sequence[str]) -> str:
    return f'mount("overlay", "{place}", "overlay", 0, "{_LAYERS.format(f"<{len(layers)} layers>")}")'


@syscall("mount", show=_show_layers)
def mount_layers(place: str, layers: Sequence[str]) -> bool:
    """Shows two or more ``layers``, the lowest first, as one at ``place``; False if they were there.

    Which ones is noted beside it, before: the mount table does not tell, and nobody is to remove them.
    """
    if not _mountpoint(place):
        return False
    with open(f"{place}.layers", "wb") as file:
        file.write(b"".join(os.fsencode(layer) + b"\n" for layer in layers))
    mountpoint.mount_layers(place, list(reversed(layers)), _LAYERS)
    return True


def _mountpoint(place: str) -> bool:
    """Makes the directory to mount on; False if something is mounted there."""
    try:
        os.mkdir(place, 0o700)
    except FileExistsError:
        return os.stat(place).st_dev == os.stat(os.path.dirname(place)).st_dev
    return True
