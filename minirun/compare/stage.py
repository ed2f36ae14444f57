"""The image's files put together in one directory, for the rungs that take a directory.

Layer ``compare``. Everything is mounted in a mount namespace of this process's
own, on a tmpfs: when it ends, however it ends, the kernel takes all of it
away. The overlay is mounted by the same step as a container's, and the
process gets the arguments, environment, directory and user that a container
of the image would get (``container/specify.py``), so that it is the same
program. Read ``attempt.py`` next. mount_namespaces(7), overlayfs.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import TYPE_CHECKING

from minirun.compare import in_pod, kernel, reach
from minirun.container.options import Options
from minirun.container.specify import Lent, spec_of
from minirun.errors import MinirunError, hint, reason
from minirun.image import store as images
from minirun.image.config import check_platform
from minirun.isolation import overlay
from minirun.linux import mount, namespace
from minirun.linux.mount import MountFlag, UmountFlag
from minirun.linux.namespace import CloneFlag
from minirun.values import plain, replace

if TYPE_CHECKING:
    from minirun.container.state import Store
    from minirun.spec import Spec

#: What a program expects to find, and a chroot does not have by itself.
_HOSTS = ("proc", "dev", "sys")

#: The directory of the comparison with this pid: compare.PID.WORD.
_PREFIX = "compare."


class Stage:
    """``with Stage(store, image, command) as stage:`` the files are there.

    ``rootfs`` is the directory, ``process`` who runs in it and how, ``args``
    its arguments with the image's entrypoint, ``asking`` those of the script
    that asks for the kernel. Raises NotFound, UsageError and MinirunError.
    """

    def __init__(self, store: Store, image: str, command: tuple[str, ...]) -> None:
        self.store = store
        self.image = images.resolve(store.root, image)
        check_platform(self.image)
        self.scratch = ""
        self.command = command
        self.process = self._spec(image).process
        self.args = self.process.args
        #: Our question is no business of the image's entrypoint.
        self.asking = ("sh", "-c", kernel.QUESTION + reach.QUESTION)
        self.name = image
        self._count = 0

    def __enter__(self) -> Stage:
        os.makedirs(self.store.state, 0o711, exist_ok=True)
        _sweep(self.store.state)
        self.scratch = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}.", dir=self.store.state)
        try:
            self._mount()
        except OSError as error:
            self.__exit__()
            raise MinirunError("cannot put the image's files together", reason(error), hint(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        try:
            mount.umount2(self.scratch, UmountFlag.MNT_DETACH)
        except OSError:
            pass  # it was not mounted yet
        os.rmdir(self.scratch)

    @property
    def rootfs(self) -> str:
        """Where the image's files are."""
        return f"{self.scratch}/rootfs"

    def _mount(self) -> None:
        namespace.unshare(CloneFlag.NEWNS)
        mount.mount(
            None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None
        )  # nothing below reaches the host
        mount.mount("tmpfs", self.scratch, "tmpfs", MountFlag(0), "mode=0700")
        for name in ("rootfs", "upper", "work", "runsc"):
            os.mkdir(f"{self.scratch}/{name}", 0o755)
        for call in next(overlay.mount(self._spec(self.name))).calls:
            call({})
        for name in _HOSTS:
            place = f"{self.rootfs}/{name}"
            if os.path.isdir(place) and not os.path.islink(place):  # a link leads to the host's files
                mount.mount(f"/{name}", place, None, MountFlag.BIND | MountFlag.REC, None)

    def _spec(self, image: str) -> Spec:
        """What `minirun run` would make of the same words."""
        lent = Lent(
            layers=self.image.layers,
            rootfs=self.rootfs,
            upperdir=f"{self.scratch}/upper",
            workdir=f"{self.scratch}/work",
        )
        options = Options(image=image, command=self.command, network=("none",), rm=True)
        return spec_of(options, self.image.config, "0" * 64, lent, lambda name: 0)

    def words(self, args: tuple[str, ...]) -> tuple[str, ...]:
        """What has to follow the flags of a command, so that it runs ``args``: IMAGE and more."""
        entrypoint = self.image.config.entrypoint
        if args == self.args:
            return (self.name, *args[len(entrypoint) :])
        return (*(("--entrypoint", "") if entrypoint else ()), self.name, *args)

    def new_id(self) -> str:
        """An id for a container of another runtime."""
        self._count += 1
        return f"minirun-compare-{os.getpid()}-{self._count}"

    def manifest(self, args: tuple[str, ...]) -> tuple[str, str]:
        """The name of a pod that runs ``args``, and the file with its manifest."""
        name = self.new_id()
        path = f"{self.scratch}/{name}.json"
        with open(path, "w") as file:
            file.write(in_pod.manifest(name, self.name, args))
        return name, path

    def bundle(self, args: tuple[str, ...]) -> str:
        """A bundle for OCI runtimes that runs ``args`` on the same files; its directory.

        See the OCI runtime specification, bundle.md.
        """
        process = plain(replace(self.process, args=args))
        process.setdefault("cwd", "/")
        process.setdefault("user", {"uid": 0, "gid": 0})
        config = {
            "ociVersion": "1.0.2",
            "root": {"path": "rootfs"},
            "hostname": "compare",
            "process": process,
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "uts", "ipc", "network")]},
        }
        with open(f"{self.scratch}/config.json", "w") as file:
            json.dump(config, file)
        return self.scratch


def _sweep(state: str) -> None:
    """Removes the empty directories of comparisons that were killed; their mounts went by themselves."""
    for entry in os.listdir(state):
        pid = entry.removeprefix(_PREFIX).partition(".")[0]
        if entry.startswith(_PREFIX) and not os.path.exists(f"/proc/{pid}"):
            with contextlib.suppress(OSError):
                os.rmdir(f"{state}/{entry}")
