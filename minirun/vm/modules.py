"""The drivers of a guest's kernel: which files hold them, and in which order they are loaded.

Layer ``vm``. A distribution's kernel has nearly every driver in a file of its
own, a module. Which other modules it needs stands in ``modules.dep``
(modules.dep(5)); what needs no file because it is part of the kernel, in
``modules.builtin``. A kernel without modules has only its configuration to
tell. Read ``module_file.py`` next.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Sequence

from minirun.errors import Unsupported
from minirun.values import TYPE_CHECKING
from minirun.vm.module_file import read as read  # for those who load what `needed` finds
from minirun.vm.module_index import closure, name_of, plain

if TYPE_CHECKING:
    from minirun.vm.kernel import Kernel

#: Without these no guest of minirun's boots. With each, the option that builds it into a kernel.
REQUIRED = {
    "virtio_pci": "CONFIG_VIRTIO_PCI",  # how the guest finds any of the devices
    "virtio_console": "CONFIG_VIRTIO_CONSOLE",  # its streams and its terminal
    "9p": "CONFIG_9P_FS",  # the host's files
    "9pnet_virtio": "CONFIG_NET_9P_VIRTIO",  # the way they come
    "overlay": "CONFIG_OVERLAY_FS",  # what is written over them
}
#: Wanted now and then: a network card, a disk, random numbers.
OPTIONAL = {
    "virtio_net": "CONFIG_VIRTIO_NET",
    "virtio_blk": "CONFIG_VIRTIO_BLK",
    "virtio_rng": "CONFIG_HW_RANDOM_VIRTIO",
}
DRIVERS = (*REQUIRED, *OPTIONAL)


def needed(kernel: Kernel, names: Sequence[str]) -> list[str]:
    """The files of the modules ``names`` and of all they need, in the order of loading.

    What is built into the kernel is left out. Raises Unsupported, with every
    driver that the kernel lacks.
    """
    if lacking := missing(kernel, names):
        raise Unsupported(
            f"the kernel {kernel.release} lacks drivers that a guest needs",
            f"{', '.join(lacking)}: neither among its modules nor built in",
            "`minirun vm kernel fetch`, or another of `minirun vm kernel ls`",
        )
    needs = dependencies(kernel.modules)
    places = {name_of(path): path for path in needs}
    ordered: dict[str, None] = {}
    for name in names:
        if path := places.get(plain(name)):
            ordered.update(dict.fromkeys([*reversed(closure(path, needs)), path]))
    return [f"{kernel.modules}/{path}" for path in ordered]


def missing(kernel: Kernel, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that the kernel has neither as a module nor built in."""
    there = {name_of(path) for path in (*dependencies(kernel.modules), *_builtin(kernel.modules))}
    lacking = [name for name in names if plain(name) not in there]
    if not lacking or kernel.modules:
        return lacking
    built_in = set(re.findall(r"^(CONFIG_\w+)=y$", configuration(kernel), re.MULTILINE))
    options = {**REQUIRED, **OPTIONAL}
    return [name for name in lacking if options.get(name) not in built_in]


def dependencies(directory: str) -> dict[str, tuple[str, ...]]:
    """modules.dep: path of a module -> paths it needs, what is loaded first last."""
    pairs = (line.partition(":") for line in _lines(directory, "modules.dep"))
    # The same order as in a module's own `depends`, so that `closure` works on both.
    return {path: tuple(reversed(others.split())) for path, _, others in pairs}


def _builtin(directory: str) -> list[str]:
    return _lines(directory, "modules.builtin")


def _lines(directory: str, name: str) -> list[str]:
    return _text(f"{directory}/{name}").splitlines() if directory else []


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (FileNotFoundError, PermissionError):
        return ""


def configuration(kernel: Kernel) -> str:
    """The options the kernel was built with, from beside its image or within; empty if nobody tells."""
    directory = os.path.dirname(kernel.image)
    for name in (f"config-{kernel.release}", "config", ".config"):
        if text := _text(f"{directory}/{name}"):
            return text
    with open(kernel.image, "rb") as file:
        image = file.read()
    start = image.find(b"IKCFG_ST\x1f\x8b")  # CONFIG_IKCONFIG puts it there, for /proc/config.gz
    try:
        found = zlib.decompressobj(wbits=31).decompress(image[start + 8 :]) if start >= 0 else b""
    except zlib.error:
        return ""  # those bytes were something else
    return found.decode("utf-8", "replace")
