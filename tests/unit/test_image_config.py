"""The documents of an image: what is read from them, chosen among them, written into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minirun.errors import InvalidInput, Unsupported
from minirun.image import records
from minirun.image.config import Image, ImageConfig, check_platform, machine
from minirun.image.instructions import apply
from minirun.image.layout import Descriptor, Platform, choose, image_config, read_configuration
from minirun.image.records import LayerRecord, Record
from tests.image.archives import dumped

HEX = "0123456789abcdef" * 4


def test_everything_that_a_start_needs() -> None:
    """OCI's names become the Dockerfile's."""
    document = {
        "architecture": "arm",
        "os": "linux",
        "variant": "v7",
        "created": "2024-01-02T03:04:05Z",
        "author": "not read",
        "config": {
            "Env": ["A=1", "B=\n"],
            "Entrypoint": ["/e"],
            "Cmd": ["c", ""],
            "User": "ann:dev",
            "WorkingDir": "/w",
            "Labels": {"k": "v"},
            "StopSignal": "SIGINT",
            "Volumes": {"/v": {}},
            "ExposedPorts": {"80/tcp": {}},
            "Healthcheck": {"Test": ["NONE"]},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{HEX}"]},
    }
    assert image_config(read_configuration(dumped(document), "it")) == ImageConfig(
        env=("A=1", "B=\n"),
        entrypoint=("/e",),
        cmd=("c", ""),
        user="ann:dev",
        workdir="/w",
        labels={"k": "v"},
        stop_signal="SIGINT",
        volumes=("/v",),
        exposed_ports=("80/tcp",),
        architecture="arm",
        os="linux",
        variant="v7",
    )


def test_what_docker_leaves_empty() -> None:
    """null, and nothing at all, are the same."""
    nulls = dict.fromkeys(["Env", "Entrypoint", "Cmd", "User", "WorkingDir", "Labels", "Volumes"])
    for config in ({"config": nulls}, {"config": None}, {}):
        raw = dumped({**config, "rootfs": {"type": "layers", "diff_ids": None}})
        assert image_config(read_configuration(raw, "it")) == ImageConfig()


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({}, "rootfs"),
        ({"rootfs": {"diff_ids": ["sha256:../../x"]}}, "sha256"),
        ({"rootfs": {"diff_ids": "x"}}, "$.rootfs.diff_ids"),
        ({"rootfs": {}, "config": {"Env": "A=1"}}, "$.config.Env"),
        ({"rootfs": {}, "config": {"Cmd": ["a\0b"]}}, "zero byte"),
        ([], "array"),
    ],
)
def test_a_configuration_that_is_none(document: Any, why: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidInput) as caught:
        read_configuration(dumped(document), "the configuration")
    assert why in caught.value.why


def test_no_json() -> None:
    """Said so."""
    with pytest.raises(InvalidInput, match="not JSON"):
        read_configuration(b'{"rootfs": ', "the configuration")


# Platforms


def manifest(number: int, os: str = "", architecture: str = "", variant: str = "") -> Descriptor:
    platform = Platform(os=os, architecture=architecture, variant=variant) if os else None
    return Descriptor(digest=f"sha256:{number:064}", size=1, platform=platform)


def test_this_machines_is_chosen() -> None:
    """Neither the first, nor another system's, nor a signature."""
    own = manifest(3, "linux", machine())
    others = (
        manifest(1, "linux", "s390x" if machine() != "s390x" else "amd64"),
        manifest(2, "windows", machine()),
        manifest(4, "unknown", "unknown"),
        manifest(5, "linux", machine()),
    )
    assert choose((*others[:3], own, *others[3:]), "it") == own


def test_the_only_one_is_taken() -> None:
    """Even if it is another machine's: one may want to pass it on."""
    only = manifest(1, "linux", "s390x" if machine() != "s390x" else "amd64")
    assert choose((only, manifest(2, "unknown", "unknown")), "it") == only


def test_none_fits() -> None:
    """The error says what there is."""
    with pytest.raises(Unsupported) as caught:
        choose((manifest(1, "linux", "pdp11"), manifest(2, "plan9", machine())), "it")
    assert "linux/pdp11, plan9/" in caught.value.why


@pytest.mark.parametrize("config", [ImageConfig(architecture="pdp11"), ImageConfig(os="plan9")])
def test_an_image_for_another_machine(config: ImageConfig) -> None:
    """It may lie in the store; it does not run."""
    with pytest.raises(Unsupported, match=r"pdp11|plan9"):
        check_platform(Image(id=f"sha256:{HEX}", names=("x:1",), config=config))


def test_an_image_for_this_machine() -> None:
    """Also one that does not say."""
    for config in (ImageConfig(), ImageConfig(architecture=machine(), os="linux")):
        check_platform(Image(id=f"sha256:{HEX}", config=config))


def test_an_emulator_of_the_hosts_is_not_a_guests(tmp_path: Path) -> None:
    """It is registered with the host's kernel, and a virtual machine has another."""
    (tmp_path / "qemu-riscv32").touch()
    image = Image(id=f"sha256:{HEX}", names=("x:1",), config=ImageConfig(architecture="riscv32"))
    check_platform(image, str(tmp_path))
    with pytest.raises(Unsupported, match="so is the virtual one"):
        check_platform(image, emulators="")


# Records


def layer(name: str, opaque: bool = False) -> LayerRecord:
    return LayerRecord(
        diff_id=name, digest=f"sha256:{HEX}", media_type="m", packed=1, unpacked=10, opaque=opaque
    )


def test_a_record_comes_back() -> None:
    """With everything in it."""
    config = ImageConfig(env=("A=\n\udcff",), labels={"a": "b"}, cmd=("x",), architecture="amd64")
    record = Record(id=HEX, manifest=f"sha256:{HEX}", layers=(layer("1"), layer("2", True)), config=config)
    assert records.unpack(records.pack(record), "path") == record


def test_layers_below_one_that_hides_all() -> None:
    """overlayfs does not read the mark at a layer's root, so they are left out."""
    record = Record(id=HEX, manifest="", layers=(layer("1"), layer("2", True), layer("3")))
    assert records.image(record, "/r").layers == ("/r/layers/2", "/r/layers/3")
    assert records.image(record, "/r").size == 30


@pytest.mark.parametrize(
    "spoil", [lambda raw: raw[:-3], lambda raw: b"", lambda raw: b"junk", lambda raw: raw[5:]]
)
def test_a_spoilt_record(spoil: Any) -> None:
    """An error with the file's name, not a traceback."""
    raw = records.pack(Record(id=HEX, manifest=""))
    with pytest.raises(InvalidInput, match="/the/path"):
        records.unpack(spoil(raw), "/the/path")


# Instructions


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        (['CMD ["a", "b c"]'], {"Cmd": ["a", "b c"]}),
        (["cmd echo $HOME"], {"Cmd": ["/bin/sh", "-c", "echo $HOME"]}),
        (["ENTRYPOINT [broken"], {"Entrypoint": ["/bin/sh", "-c", "[broken"]}),
        (["ENV A=1 B='2 3' C=", "ENV A=9"], {"Env": ["B=2 3", "C=", "A=9"]}),
        (["ENV A some words"], {"Env": ["A=some words"]}),
        (['LABEL a=b "c d"=e', "LABEL a=z"], {"Labels": {"a": "z", "c d": "e"}}),
        (["USER 1:2"], {"User": "1:2"}),
        (["WORKDIR /a", "WORKDIR b/../c"], {"WorkingDir": "/a/c"}),
        (
            ["EXPOSE 80 53/udp 8000-8001"],
            {"ExposedPorts": {k: {} for k in ("80/tcp", "53/udp", "8000/tcp", "8001/tcp")}},
        ),
        (['VOLUME ["/a b"]', "VOLUME /c /d"], {"Volumes": {"/a b": {}, "/c": {}, "/d": {}}}),
        (["STOPSIGNAL SIGINT"], {"StopSignal": "SIGINT"}),
        (["STOPSIGNAL 9"], {"StopSignal": "9"}),
        (["STOPSIGNAL rtmin+3"], {"StopSignal": "rtmin+3"}),
    ],
)
def test_instructions(instructions: list[str], expected: dict[str, Any]) -> None:
    """As in a Dockerfile."""
    config: dict[str, Any] = {}
    for instruction in instructions:
        apply(instruction, config)
    assert config == expected


@pytest.mark.parametrize(
    ("instruction", "why"),
    [
        ("RUN rm -rf /", "RUN"),
        ("", "''"),
        ("CMD", "follow"),
        ("CMD [1]", "strings"),
        ("ENV =x", "NAME=VALUE"),
        ("ENV A", "no value"),
        ("ENV A=1 B", "NAME=VALUE"),
        ("ENV A='", "quotation"),
        ("EXPOSE http", "no port"),
        ("EXPOSE 70000", "range"),
        ("EXPOSE 9-8", "range"),
        ("VOLUME a", "absolute"),
        ("STOPSIGNAL SIGNONE", "no signal"),
        ("STOPSIGNAL 99", "no signal"),
    ],
)
def test_instructions_that_are_refused(instruction: str, why: str) -> None:
    """With the reason."""
    with pytest.raises(InvalidInput) as caught:
        apply(instruction, {})
    assert why in caught.value.why
