"""-v, --mount and --tmpfs: docker's words and their meanings."""

from __future__ import annotations

import os

import pytest

from minirun.container import volumes
from minirun.container.volume_words import Volume, parse_mount, parse_tmpfs, parse_volume
from minirun.errors import Conflict, MinirunError, Unsupported, UsageError
from minirun.spec import Mount


def mount_of(volume: Volume) -> Mount:
    """The spec's mount for one volume, volumes being kept in /store."""
    (mount,) = volumes.mounts_of([volume], "/store")
    return mount


def test_a_bind() -> None:
    """The host's directory, made if it is missing; private, with all below it."""
    assert mount_of(parse_volume("/srv/data:/data")) == Mount(
        destination="/data", type="bind", source="/srv/data", options=("rbind", "rprivate", "x-minirun.mkdir")
    )


def test_ro_is_recursive() -> None:
    """docker's ro: what is mounted below cannot be written either."""
    assert "rro" in mount_of(parse_volume("/a:/b:ro")).options
    assert "rro" in mount_of(parse_mount("type=bind,src=/a,dst=/b,readonly")).options


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("enabled", ("rbind", "rprivate", "rro")),
        ("readonly", ("rbind", "rprivate", "rro")),
        ("writable", ("rbind", "rprivate", "ro")),
        ("disabled", ("bind", "rprivate", "ro")),
    ],
)
def test_bind_recursive(how: str, words: tuple[str, ...]) -> None:
    """What happens with the mounts below a read-only bind."""
    assert mount_of(parse_mount(f"type=bind,src=/a,dst=/b,ro,bind-recursive={how}")).options == words


def test_propagation_and_restrictions() -> None:
    """-v's further words."""
    options = mount_of(parse_volume("/a:/b:rslave,nosuid,noexec")).options
    assert options == ("rbind", "rslave", "rnosuid", "rnoexec", "x-minirun.mkdir")
    assert (
        "rshared" in mount_of(parse_mount("type=bind,source=/a,target=/b,bind-propagation=rshared")).options
    )


def test_a_relative_source() -> None:
    """Of the caller's working directory, if it begins with a dot."""
    assert parse_volume("./data:/data").source == os.path.join(os.getcwd(), "data")


def test_a_named_volume() -> None:
    """Kept by minirun; filled from the image unless nocopy."""
    mount = mount_of(parse_volume("cache:/var/cache"))
    assert mount.source == "/store/cache/_data"
    assert {"x-minirun.volume", "x-minirun.mkdir", "x-minirun.copyup"} <= set(mount.options)
    assert "x-minirun.copyup" not in mount_of(parse_volume("cache:/var/cache:nocopy")).options
    assert "x-minirun.copyup" not in mount_of(parse_mount("src=cache,dst=/c,volume-nocopy")).options


def test_tmpfs() -> None:
    """docker's defaults come first, so that the user's words count."""
    mount = mount_of(parse_tmpfs("/run:size=64m,exec,mode=1777"))
    assert mount.type == "tmpfs"
    assert mount.options == ("noexec", "nosuid", "nodev", "size=64m", "exec", "mode=1777")
    assert mount_of(parse_mount("type=tmpfs,dst=/t,tmpfs-size=1gb,tmpfs-mode=1770,ro")).options == (
        *("noexec", "nosuid", "nodev", "ro"),
        *("size=1g", "mode=1770"),
    )


def test_quoted_fields() -> None:
    """--mount is a line of CSV: a comma may be quoted."""
    assert parse_mount('type=bind,"source=/a,b",target=/c').source == "/a,b"


@pytest.mark.parametrize(
    "text",
    ["", "a", ":", "/a:", ":/b", "/a:b", "/a:/b:ro:rw", "/a:/b:fast", "/a:/", "a:/b", "-x:/b", "na/me:/b",
     "name:/b:rslave", "/a:/b:nocopy", "/"],
)  # fmt: skip
def test_volume_words_that_are_none(text: str) -> None:
    """Refused: a relative target, a name that is none, unknown or unfit options."""
    with pytest.raises(UsageError):
        parse_volume(text)


@pytest.mark.parametrize(
    "text",
    ["", "type=bind", "type=bind,dst=/b", "type=bind,src=a,dst=/b", "type=nfs,dst=/b", "src=/a,dst=/b",
     "type=bind,src=/a,dst=b", "type=bind,src=/a,dst=/b,tmpfs-size=1", "type=bind,src=/a,dst=/b,foo=1",
     "type=bind,src=/a,dst=/b,ro=maybe", "type=bind,src=/a,dst=/b,dst=/c", "type=tmpfs,dst=/b,src=/a",
     "type=tmpfs,dst=/b,tmpfs-size=big", "type=tmpfs,dst=/b,tmpfs-mode=9",
     "type=tmpfs,dst=/b,tmpfs-size=1kmg",
     "type=bind,src=/a,dst=/b,bind-propagation=no", "type=bind,src=/a,dst=/b,bind-recursive=readonly"],
)  # fmt: skip
def test_mount_words_that_are_none(text: str) -> None:
    """Refused, by name."""
    with pytest.raises(UsageError):
        parse_mount(text)


@pytest.mark.parametrize("text", ["run", "/run:fast", "/run:size", "/run:noexec=1", "/"])
def test_tmpfs_words_that_are_none(text: str) -> None:
    """Refused."""
    with pytest.raises(UsageError):
        parse_tmpfs(text)


@pytest.mark.parametrize("text", ["/a:/b:z", "/a:/b:Z", "/a:/b:cached"])
def test_what_other_hosts_have(text: str) -> None:
    """SELinux labels and Docker Desktop's words would change nothing: refused by name."""
    with pytest.raises(Unsupported, match=text[-1]):
        parse_volume(text)
    with pytest.raises(Unsupported, match="volume-driver"):
        parse_mount("type=volume,src=name,dst=/b,volume-driver=nfs")


def test_two_at_one_place() -> None:
    """A conflict, also when it is spelled in two ways."""
    with pytest.raises(Conflict, match="/b"):
        volumes.parse_all(["/a:/b"], ["type=tmpfs,dst=/b/"], [])
    with pytest.raises(Conflict, match="/b"):
        volumes.parse_all([], [], ["/b", "/x/../b"])


def test_parents_come_first() -> None:
    """What lies in a mount is mounted after it."""
    found = volumes.parse_all(["/x:/a/b/c"], ["type=tmpfs,dst=/a"], ["/a/b"])
    assert [volume.target for volume in found] == ["/a", "/a/b", "/a/b/c"]


def test_the_images_volumes_are_anonymous() -> None:
    """Unless the user mounts something there."""
    found = volumes.parse_all(["/x:/data"], image=["/data", "/log"])
    assert [(volume.target, volume.kind, volume.source) for volume in found] == [
        ("/data", "bind", "/x"),
        ("/log", "volume", ""),
    ]


def test_defaults_give_way() -> None:
    """A user's /dev/shm replaces the default one, at the user's place in the order."""
    default = (Mount(destination="/dev/shm", type="tmpfs"), Mount(destination="/proc", type="proc"))
    asked = (Mount(destination="/dev/shm", type="bind"),)
    assert volumes.merge(default, asked) == (default[1], asked[0])


def test_an_error_says_three_things() -> None:
    """What, why, and what to do."""
    with pytest.raises(MinirunError) as caught:
        parse_volume("/a:b")
    assert all((caught.value.what, caught.value.why, caught.value.remedy))
