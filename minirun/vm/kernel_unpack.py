"""Out of a kernel's package: the ELF file, the configuration, the modules.

Layer ``vm``. Only plain files are taken, and only those with a place in the
result; everything is made by us, so nothing leads out of it. The signature of
a module is cut off on the way, and what the module says of itself is kept for
the index that depmod(8) would make. Read ``modules.py`` next.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator

from minirun.errors import InvalidInput, Unsupported
from minirun.image.streams import Malformed
from minirun.image.tar import Archive
from minirun.vm import bzimage, module_file, module_index, vmlinux
from minirun.vm.deb import Package

_KERNEL = re.compile(r"boot/vmlinuz-[^/]+", re.DOTALL)
_CONFIGURATION = re.compile(r"boot/config-[^/]+", re.DOTALL)
_MODULES = re.compile(r"(?:usr/)?lib/modules/([^/]+)/(.+)", re.DOTALL)
#: Kernel builds name files so. No path that matches leads upwards or breaks a line of modules.dep.
_NAME = re.compile(r"(?:/?[A-Za-z0-9_+,@=-][A-Za-z0-9_+,.@=~-]*)+")
#: A file is in memory while it is looked at; the biggest there are have 20 MB.
_LIMIT = 1 << 28


class Unpacking:
    """The files of one package, in ``directory``."""

    def __init__(self, package: Package, deb: str, directory: str) -> None:
        self.package = package
        self.deb = deb
        self.directory = directory
        self.release = ""
        self.modules: dict[str, dict[str, list[str]]] = {}
        self.made: set[str] = set()

    def releases(self) -> Iterator[str]:
        """Unpacks; gives the release as soon as it is known, so that one may stop there.

        Raises Malformed, InvalidInput, and Unsupported for another architecture.
        """
        architecture = self.package.fields.get("Architecture", "none at all")
        if architecture not in ("amd64", "all"):
            raise Unsupported(
                f"the kernel in {self.deb} cannot be booted here",
                f"the package is for {architecture}, not for amd64",
                "take linux-image-amd64",
            )
        archive = self.package.files()
        for entry in archive:
            name = entry.name.removeprefix("./")
            if not entry.isreg():
                continue  # directories are made as needed; the links lead to headers
            if _KERNEL.fullmatch(name):
                yield self._take_kernel(_content(archive, entry), f"{self.deb}: {name}")
            elif _CONFIGURATION.fullmatch(name):
                self._store("config", _content(archive, entry))
            elif place := _MODULES.fullmatch(name):
                self._take_module(place[1], place[2], _content(archive, entry))

    def _take_kernel(self, image: bytes, name: str) -> str:
        if self.release:
            raise Malformed("it holds two kernels")
        self.release = bzimage.release(image, name)
        elf = bzimage.unpack(image, name)
        if not vmlinux.has_pvh_entry(elf):
            raise Unsupported(
                f"{name} cannot be booted", "it was built without CONFIG_PVH", "take linux-image-amd64"
            )
        self._store("vmlinux", elf)
        return self.release

    def _take_module(self, release: str, path: str, data: bytes) -> None:
        if ".ko" in path:
            data = module_file.without_signature(data)
            self.modules[path] = module_file.information(data)
        self._store(f"lib/modules/{release}/{path}", data)

    def _store(self, name: str, data: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise Malformed(f"it has a file named {name!r}, as no kernel has")
        path = f"{self.directory}/{name}"
        above = os.path.dirname(path)
        if above not in self.made:
            os.makedirs(above, exist_ok=True)
            self.made.add(above)
        with open(path, "wb") as file:
            file.write(data)

    def finish(self) -> str:
        """Checks that all is there and writes the index; the release."""
        if not self.release:
            raise InvalidInput(
                f"the package {self.deb} holds no kernel",
                f"{self.package.fields.get('Package', 'it')} has no /boot/vmlinuz-*",
                "take the package that linux-image-amd64 depends on",
            )
        directory = f"{self.directory}/lib/modules/{self.release}"
        if not os.path.isdir(directory):
            raise InvalidInput(
                f"the package {self.deb} holds no modules",
                f"it has no /lib/modules/{self.release}",
                "take Debian's, which has kernel and modules in one",
            )
        if not os.path.exists(f"{directory}/modules.dep"):
            module_index.write(directory, self.modules)
        fields = {name.lower(): self.package.fields.get(name, "") for name in ("Package", "Version")}
        self._store("kernel.json", json.dumps({"release": self.release, **fields}).encode())
        return self.release


def _content(archive: Archive, entry: tarfile.TarInfo) -> bytes:
    if entry.size > _LIMIT or entry.issparse():
        raise Malformed(f"{entry.name} is no file of a kernel: it has {entry.size} bytes")
    return b"".join(piece for _, piece in archive.data(entry))
