"""The documents of an image, as OCI and docker write them in JSON.

Layer ``image``. An index lists manifests, one per platform; a manifest names a
configuration and layers, each by a descriptor: media type, digest, size. See
image-spec: descriptor.md, image-index.md, manifest.md, config.md, and
image-layout.md for the files. Docker's documents have the same fields under
other media types. Read ``archive.py`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported
from minirun.image.config import ImageConfig, machine, runs_here
from minirun.image.reference import is_digest
from minirun.values import TYPE_CHECKING, Value, decode

if TYPE_CHECKING:
    from typing import Any

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

INDEXES = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
CONFIGS = (OCI_CONFIG, DOCKER_CONFIG)

#: What follows a layer's media type, by compression.
SUFFIXES = {"": "", "gzip": "+gzip", "zstd": "+zstd"}
LAYERS = (
    *(OCI_LAYER + suffix for suffix in SUFFIXES.values()),
    *(DOCKER_LAYER + suffix for suffix in ("", ".gzip", ".zstd")),
)

#: No document may be larger: it is held in memory (distribution-spec asks for 4 MiB at least).
DOCUMENT_LIMIT = 8 << 20

#: Names of an image in an index: containerd's annotation has all of it,
#: OCI's own (annotations.md) may be a mere tag.
FULL_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"


class Platform(Value):
    """image-index.md, "platform"."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(Value):
    """descriptor.md: something by its digest."""

    mediaType: str = ""
    digest: str
    size: int
    annotations: dict[str, str] | None = None
    platform: Platform | None = None


class Index(Value):
    """image-index.md."""

    mediaType: str = ""
    manifests: tuple[Descriptor, ...] | None = None


class Manifest(Value):
    """manifest.md."""

    schemaVersion: int = 0
    mediaType: str = ""
    config: Descriptor
    layers: tuple[Descriptor, ...] | None = None


class RootFS(Value):
    """config.md, "rootfs": the digests of the layers' tars, the lowest first."""

    type: str = ""
    diff_ids: tuple[str, ...] | None = None


class RunConfig(Value):
    """config.md, "config"."""

    Env: tuple[str, ...] | None = None
    Entrypoint: tuple[str, ...] | None = None
    Cmd: tuple[str, ...] | None = None
    User: str | None = None
    WorkingDir: str | None = None
    Labels: dict[str, str] | None = None
    StopSignal: str | None = None
    Volumes: dict[str, object] | None = None
    ExposedPorts: dict[str, object] | None = None


class Configuration(Value):
    """config.md: the document whose digest is the image's id."""

    architecture: str = ""
    os: str = ""
    variant: str | None = None
    created: str | None = None
    config: RunConfig | None = None
    rootfs: RootFS


class DockerEntry(Value):
    """manifest.json of `docker save`: one image of the archive."""

    Config: str
    RepoTags: tuple[str, ...] | None = None
    Layers: tuple[str, ...] | None = None


def read_configuration(raw: bytes, what: str) -> Configuration:
    """The image configuration in ``raw``, its layers' digests checked."""
    document = decode(raw, Configuration, what)
    for diff_id in document.rootfs.diff_ids or ():
        if not is_digest(diff_id):
            raise InvalidInput(f"{what} is not valid", f"diff_id {diff_id!r} is no sha256", "make it anew")
    run = document.config or RunConfig()
    for text in (*(run.Env or ()), *(run.Entrypoint or ()), *(run.Cmd or ()), run.WorkingDir or ""):
        if "\0" in text:
            raise InvalidInput(f"{what} is not valid", f"a zero byte in {text!r}", "make it anew")
    return document


def image_config(document: Configuration) -> ImageConfig:
    """What a start needs of the configuration."""
    run = document.config or RunConfig()
    return ImageConfig(
        env=run.Env or (),
        entrypoint=run.Entrypoint or (),
        cmd=run.Cmd or (),
        user=run.User or "",
        workdir=run.WorkingDir or "",
        labels=run.Labels or {},
        stop_signal=run.StopSignal or "",
        volumes=tuple(run.Volumes or ()),
        exposed_ports=tuple(run.ExposedPorts or ()),
        architecture=document.architecture,
        os=document.os,
        variant=document.variant or "",
    )


def choose(manifests: tuple[Descriptor, ...], what: str) -> Descriptor:
    """The manifest for this machine among those of one image.

    Its own architecture is better than one that it also runs. Raises
    Unsupported with what there is instead.
    """
    real = [one for one in manifests if one.platform is None or one.platform.os != "unknown"]
    if len(real) == 1:
        return real[0]  # no choice; `run` will tell if it is for another machine
    best: list[tuple[int, int, Descriptor]] = []
    for number, candidate in enumerate(real):
        platform = candidate.platform
        if platform is None or not platform.architecture:
            best.append((1, number, candidate))  # its configuration will tell
        elif platform.os in ("", "linux") and runs_here(platform.architecture):
            foreign = platform.architecture != machine()
            best.append((2 if foreign else 0, number, candidate))
    if not best:
        there = {f"{m.platform.os}/{m.platform.architecture}" for m in real if m.platform}
        raise Unsupported(
            f"{what} has no image for this machine",
            f"this is linux/{machine()}, and there is {', '.join(sorted(there)) or 'nothing'}",
            f"take an archive with an image for {machine()}",
        )
    return min(best, key=lambda one: (one[0], _variant(one[2]), one[1]))[2]


def _variant(candidate: Descriptor) -> int:
    # arm comes as v5, v6, v7: the highest that this machine has; else the plain one.
    variant = candidate.platform.variant if candidate.platform else ""
    if machine() != "arm" or not variant[1:].isdigit():
        return 0 if not variant else 1
    import os

    own = 7 if os.uname().machine == "armv7l" else 6
    return 9 - int(variant[1:]) if int(variant[1:]) <= own else 100


def as_json(document: dict[str, Any] | list[Any]) -> bytes:
    """A document's bytes: the same document gives the same bytes."""
    import json

    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
