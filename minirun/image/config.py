"""What an image says of itself, as a start of a container needs it.

Layer ``image``. The document is OCI's image configuration (image-spec,
config.md); here are its run-time half as a frozen value, ``ImageConfig``, and
``Image``: a configuration, an id and the directories of the unpacked layers.
The id is the digest of the configuration document (config.md, "ImageID"), so
it does not change with the compression of the layers. The documents themselves
are in ``layout.py``. Read ``store.py`` next.
"""

from __future__ import annotations

import os

from minirun.errors import Unsupported
from minirun.values import Value


class ImageConfig(Value):
    """config.md, "Properties"; the names are the Dockerfile's instructions."""

    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    labels: dict[str, str] = {}
    stop_signal: str = ""
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    architecture: str = ""
    os: str = ""
    variant: str = ""


class Image(Value):
    """An image in the store.

    ``layers`` are the directories to mount, the lowest first. ``size`` is in
    bytes, unpacked; ``created`` is RFC 3339 or empty; ``manifest`` is the
    digest that a registry knows the image by.
    """

    id: str
    names: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    config: ImageConfig = ImageConfig()
    manifest: str = ""
    created: str = ""
    size: int = 0

    @property
    def architecture(self) -> str:
        """``amd64``, ``arm64`` ...: GOARCH's words, as OCI has it."""
        return self.config.architecture


#: uname(2)'s word for this machine -> OCI's.
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i686": "386",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "loongarch64": "loong64",
}

#: What a machine runs beside its own.
_ALSO = {"amd64": ("386",), "arm64": ("arm",)}

#: Where the kernel has the emulators that programs of other machines are run by.
_BINFMT = "/proc/sys/fs/binfmt_misc"
#: OCI's word -> the name of qemu's entry in there.
_EMULATORS = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "loong64": "loongarch64"}


def machine() -> str:
    """This machine's architecture in OCI's words."""
    name = os.uname().machine
    return _ARCHITECTURES.get(name, name)


def runs_here(architecture: str, emulators: str = _BINFMT) -> bool:
    """Whether this machine executes programs of ``architecture``, by one of ``emulators`` at the worst."""
    here = machine()
    if architecture in ("", here, *_ALSO.get(here, ())):
        return True
    emulator = _EMULATORS.get(architecture, architecture)
    return bool(emulators) and os.path.exists(f"{emulators}/qemu-{emulator}")


def check_platform(image: Image, emulators: str = _BINFMT) -> None:
    """Raises Unsupported if the image's programs cannot run on this machine.

    ``emulators`` is where the host's are registered; "" for a guest, whose kernel has none.
    """
    name = image.names[0] if image.names else image.id[:19]
    if image.config.os not in ("", "linux"):
        raise Unsupported(
            f"image {name} is for {image.config.os}",
            "a container shares the kernel of its host, a virtual machine boots one: both are Linux",
            "take an image for linux",
        )
    if not runs_here(image.architecture, emulators):
        raise Unsupported(
            f"image {name} is for {image.architecture}",
            f"this machine is {machine()}, and "
            + ("no emulator is registered in binfmt_misc" if emulators else "so is the virtual one"),
            f"take the image for {machine()}" + (", or install qemu-user-static" if emulators else ""),
        )
