"""The kernel that a guest boots: which there are, and which one it will be.

Layer ``vm``. A container runs on the host's kernel; a virtual machine brings
its own. Below ROOT/kernels lies, each put there finished by rename(2):

    RELEASE/         vmlinux, config, kernel.json, lib/modules/RELEASE/: a fetched one
    .cache/SHA256/   vmlinux, unpacked from the file named in source
    .tmp-X/          half-made, locked by whoever makes it

``kernel_fetch.py`` fills the first, ``kernel_file.py`` the second; read them next.
"""

from __future__ import annotations

import glob
import os
import re

from minirun.errors import MinirunError, NotFound, Unsupported, hint, reason
from minirun.image.temporary import TemporaryDirectory
from minirun.values import Value, replace
from minirun.vm import kernel_file, modules

FETCH = "minirun vm kernel fetch"
#: Where distributions put the kernels they boot.
HOST = ("/boot/vmlinuz-*", "/lib/modules/*/vmlinuz")


class Kernel(Value):
    """One kernel; ``modules`` is empty if there are none, ``origin`` "fetched", "host" or "given"."""

    release: str
    image: str
    modules: str = ""
    origin: str = ""


def find(root: str, wanted: str = "") -> Kernel:
    """The kernel to boot, with an image that QEMU takes: an ELF file where that is possible.

    ``wanted`` is a release, or the path of a vmlinuz or vmlinux; without it, the
    first of ``kernels`` that has the drivers. Raises NotFound; InvalidInput and
    Unsupported for a file that is no kernel for this machine.
    """
    if "/" in wanted:
        return _bootable(root, _given(root, wanted))
    known = kernels(root)
    if not wanted:
        return _bootable(root, _best(known))
    for kernel in known:
        if kernel.release == wanted:
            return _bootable(root, kernel)
    raise NotFound(
        f"no such kernel: {wanted}",
        f"here there is {', '.join(kernel.release for kernel in known) or 'none'}",
        f"`{FETCH}`, or give the path of a vmlinuz: one with a slash in it",
    )


def _best(known: list[Kernel]) -> Kernel:
    lacks = []
    for kernel in known:
        lacking = modules.missing(kernel, modules.REQUIRED)
        if not lacking:
            return kernel
        lacks.append(f"{kernel.release} lacks {', '.join(lacking)}")
    if lacks:
        raise Unsupported("no kernel here has the drivers that a guest needs", "; ".join(lacks), FETCH)
    raise NotFound("there is no kernel to boot", "none was fetched, and the host shows none", FETCH)


def kernels(root: str) -> list[Kernel]:
    """The kernels that were fetched, then the host's, the newest of each first.

    The image of a kernel of the host's is the file as it was installed.
    """
    homes = glob.glob(f"{glob.escape(root)}/kernels/*/vmlinux")  # the half-made ones begin with a dot
    ours = [fetched(root, path.split("/")[-2]) for path in homes]
    host: dict[str, Kernel] = {}
    for path in (path for pattern in HOST for path in glob.glob(pattern)):
        try:
            kernel = _given(root, path)
        except MinirunError:
            continue  # a broken link, not for us to read, or for another machine
        host.setdefault(kernel.release, replace(kernel, origin="host"))
    return [*sorted(ours, key=_age, reverse=True), *sorted(host.values(), key=_age, reverse=True)]


def _given(root: str, path: str) -> Kernel:
    """The kernel in a file, and the modules of its release from wherever they are."""
    path = os.path.abspath(path)
    release = kernel_file.release(path)
    beside = f"{os.path.dirname(path)}/lib/modules/{release}"
    places = (beside, fetched(root, release).modules, f"/lib/modules/{release}")
    found = next((place for place in places if os.path.isfile(f"{place}/modules.dep")), "")
    return Kernel(release=release, image=path, modules=found, origin="given")


def _bootable(root: str, kernel: Kernel) -> Kernel:
    if kernel.origin == "fetched":
        return kernel
    configuration = modules.configuration(kernel)
    return replace(kernel, image=kernel_file.bootable(root, kernel.image, configuration))


def _age(kernel: Kernel) -> list[tuple[int, str]]:
    """Sorts 6.1.0-9 before 6.1.0-10, and 6.1.0-rc1 before 6.1.0."""
    parts = re.findall(r"\d+|[a-z]+", kernel.release)
    return [*((int(part), "") if part.isdigit() else (-2, part) for part in parts), (-1, "")]


def fetched(root: str, release: str) -> Kernel:
    """The kernel ``release`` as it is, or would be, when it was fetched."""
    home = f"{root}/kernels/{release}"
    return Kernel(
        release=release, image=f"{home}/vmlinux", modules=f"{home}/lib/modules/{release}", origin="fetched"
    )


def size(kernel: Kernel) -> int:
    """The bytes of its files; of a host's kernel only those of the image."""
    if kernel.origin != "fetched":
        return os.stat(kernel.image).st_size
    home = os.path.dirname(kernel.image)
    return sum(os.lstat(f"{path}/{name}").st_size for path, _, names in os.walk(home) for name in names)


def remove(root: str, release: str) -> None:
    """Removes a fetched kernel. Raises NotFound where that release was not fetched."""
    if release not in (kernel.release for kernel in kernels(root) if kernel.origin == "fetched"):
        raise NotFound(
            f"no such kernel: {release}", "it was not fetched", "minirun vm kernel ls lists them all"
        )
    try:
        _remove(root, release)
    except OSError as error:
        raise MinirunError(f"cannot remove the kernel {release}", reason(error), hint(error)) from error


def _remove(root: str, release: str) -> None:
    temporary = TemporaryDirectory(f"{root}/kernels")
    try:  # out of sight at once, so that nobody meets half of it
        os.rename(f"{root}/kernels/{release}", temporary.path("removed"))
    finally:
        temporary.remove()
