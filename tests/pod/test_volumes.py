"""A pod's volumes on real directories: modes, owners, mounts, links that change and links that attack."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minirun.errors import Conflict, InvalidInput, NotFound, StepFailed
from minirun.linux import mount
from minirun.linux.mount import MountFlag
from minirun.pod import volumes
from minirun.pod.downward import Context
from minirun.pod.manifest.types import (
    ConfigMap,
    ConfigMapVolumeSource,
    Container,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    ObjectMeta,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodSecurityContext,
    PodSpec,
    Secret,
    SecretVolumeSource,
    SecurityContext,
    Volume,
    VolumeMount,
)
from minirun.pod.volumes import Places, VolumePlan, payload, subpath
from minirun.pod.volumes.contents import File
from minirun.pod.volumes.directories import Owner
from minirun.pod.volumes.sweep import mounted_below
from minirun.spec import Mount
from minirun.values import replace
from tests.kernel.rootfs import in_child, inside, make_spec, mountinfo
from tests.needs import needs

pytestmark = needs("root")

PROC = Mount(destination="/proc", type="proc", source="proc")

GROUP = PodSecurityContext(fsGroup=2345)
CLAIM = Volume(name="claim", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="db"))
MEMORY = Volume(name="fast", emptyDir=EmptyDirVolumeSource(medium="Memory", sizeLimit="64Ki"))
LOGIN = Volume(name="login", secret=SecretVolumeSource(secretName="login", defaultMode=0o400))
SETTINGS = Volume(name="conf", configMap=ConfigMapVolumeSource(name="settings"))


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """A pod's directories; whatever is in them is gone after the test, or the look for leaks tells."""
    found = Places(data=f"{tmp_path}/lib/pods/u", runtime=f"{tmp_path}/run/pods/u", root=f"{tmp_path}/lib")
    os.makedirs(found.data, 0o700)
    os.makedirs(found.runtime, 0o700)
    yield found
    volumes.sweep(found.data, found.runtime)


def plan(places: Places, *wanted: Volume, data: dict[str, str] | None = None, **spec: Any) -> VolumePlan:
    """The plan of a pod with these volumes; ``data`` is what its ConfigMap has."""
    pod = Pod(
        metadata=ObjectMeta(name="web"),
        spec=PodSpec(containers=(Container(name="main"),), volumes=wanted, **spec),
    )
    settings = ConfigMap(metadata=ObjectMeta(name="settings"), data=data or {"a": "alpha", "b": "beta"})
    login = Secret(metadata=ObjectMeta(name="login"), stringData={"password": "hunter2"})
    context = Context(pod=pod, config_maps={"settings": settings}, secrets={"login": login})
    return volumes.plan(context, places, lambda name: tuple(name.split(",")) if name else ())


def made(places: Places, *wanted: Volume, **more: Any) -> VolumePlan:
    """The same, and made."""
    found = plan(places, *wanted, **more)
    volumes.make(found)
    return found


def of(path: str | Path) -> tuple[int, int, str]:
    """uid, gid and mode of what is there."""
    found = os.stat(path, follow_symlinks=False)
    return found.st_uid, found.st_gid, f"{stat.S_IMODE(found.st_mode):o}"


# --- emptyDir ----------------------------------------------------------------


def test_empty_dir(places: Places) -> None:
    """For everybody, whatever the umask; it keeps what is in it, and goes with the pod."""
    mask = os.umask(0o077)
    try:
        found = made(places, Volume(name="a"))
    finally:
        os.umask(mask)
    place = Path(found.volumes["a"].path)
    assert of(place) == (0, 0, "777")
    assert of(place.parent) == (0, 0, "700")  # nobody else gets there
    (place / "kept").write_text("x")
    os.chmod(place, 0o700)
    volumes.make(found)  # as before each start
    assert (place / "kept").exists()
    assert of(place) == (0, 0, "700")
    volumes.unmake(found)
    assert not place.parent.exists()
    volumes.unmake(found)  # gone already is fine


def test_empty_dir_in_memory(places: Places) -> None:
    """A tmpfs as large as its limit, gone with the pod."""
    found = made(places, MEMORY)
    place = found.volumes["fast"].path
    assert mountinfo()[place]["type"] == "tmpfs"
    assert of(place) == (0, 0, "777")
    with pytest.raises(OSError) as caught:
        Path(place, "full").write_bytes(bytes(65 << 10))
    assert caught.value.errno == errno.ENOSPC
    volumes.make(found)
    assert os.path.exists(f"{place}/full")
    assert len(mounted_below(place)) == 1  # not once more
    volumes.unmake(found)
    assert mounted_below(places.runtime) == []
    assert not os.path.exists(place)


def test_owners(places: Places) -> None:
    """fsGroup: new files get it. In a user namespace they belong to the pod's root."""
    mapped = replace(places, first_id=65536)
    found = made(mapped, Volume(name="a"), MEMORY, securityContext=GROUP)
    for name in ("a", "fast"):
        place = found.volumes[name].path
        assert of(place) == (65536, 65536 + 2345, "2777")
        Path(place, "new").touch()
        assert os.stat(f"{place}/new").st_gid == 65536 + 2345


# --- files -------------------------------------------------------------------


def test_config_map(places: Places) -> None:
    """Through two links, 0644."""
    place = Path(made(places, SETTINGS).volumes["conf"].path)
    assert (place / "a").read_text() == "alpha"
    assert os.readlink(place / "a") == "..data/a"
    directory = os.readlink(place / "..data")
    assert directory.startswith("..2")
    assert sorted(os.listdir(place)) == sorted(["a", "b", "..data", directory])
    assert of(place / directory / "a") == (0, 0, "644")
    assert str(place) not in mountinfo()


def test_secret(places: Places) -> None:
    """Memory only, never swapped out if the kernel can do that."""
    place = made(places, LOGIN).volumes["login"].path
    assert mountinfo()[place]["type"] == "tmpfs"
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 4):
        assert "noswap" in mountinfo()[place]["super"]
    assert Path(place, "password").read_text() == "hunter2"
    assert of(os.path.realpath(f"{place}/password")) == (0, 0, "400")


def test_files_of_a_group(places: Places) -> None:
    """fsGroup reads them, whatever mode they were given; it writes to none."""
    found = made(places, LOGIN, SETTINGS, securityContext=GROUP)
    login, conf = (found.volumes[name].path for name in ("login", "conf"))
    assert of(os.path.realpath(f"{login}/password")) == (0, 2345, "440")
    assert of(os.path.realpath(f"{conf}/a")) == (0, 2345, "644")
    assert of(os.path.realpath(f"{conf}/..data")) == (0, 2345, "2755")


def test_files_in_a_user_namespace(places: Places) -> None:
    """They are the pod's root's, and so are the links and directories on the way."""
    place = made(replace(places, first_id=65536), SETTINGS).volumes["conf"].path
    for name in ("", "a", "..data", f"{os.readlink(f'{place}/..data')}", "..data/a"):
        assert of(f"{place}/{name}")[:2] == (65536, 65536)


def test_files_change_all_at_once(places: Places) -> None:
    """New ones come, old ones go, and so does the old directory; the link is another one."""
    place = Path(made(places, SETTINGS).volumes["conf"].path)
    before = os.readlink(place / "..data")
    with open(place / "a") as old:
        made(places, SETTINGS, data={"a": "new", "c": "gamma"})
        assert old.read() == "alpha"  # who has it open keeps it
    after = os.readlink(place / "..data")
    assert after != before
    assert sorted(os.listdir(place)) == sorted(["a", "c", "..data", after])
    assert ((place / "a").read_text(), (place / "c").read_text()) == ("new", "gamma")


def test_nothing_changes_where_nothing_changed(places: Places) -> None:
    """No watcher is woken for nothing; a mode that changed is a change."""
    files = {"x/y": File(content=b"1"), "z": File(content=b"2", mode=0o600)}
    assert payload.write(places.data, files, Owner())
    link = os.lstat(f"{places.data}/..data").st_ino
    assert not payload.write(places.data, files, Owner())
    assert os.lstat(f"{places.data}/..data").st_ino == link
    assert payload.write(places.data, {**files, "z": File(content=b"2", mode=0o640)}, Owner())
    assert Path(places.data, "x/y").read_text() == "1"


def test_no_reader_sees_half_of_a_change(places: Places) -> None:
    """Two files that belong together, read through ``..data`` while they change."""
    place = places.data
    payload.write(place, versions(0), Owner())
    stop = threading.Event()
    seen: list[tuple[bytes, bytes]] = []

    def read() -> None:
        while not stop.is_set():
            try:
                directory = os.open(f"{place}/..data", os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue  # the directory went between its name and itself: the reader comes again
            try:
                seen.append((content(directory, "one"), content(directory, "two")))
            except FileNotFoundError:
                pass  # the old directory is gone: the same
            finally:
                os.close(directory)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(1, 100):
            payload.write(place, versions(number), Owner())
            assert Path(place, "one").read_bytes() == b"%d" % number
    finally:
        stop.set()
        reader.join()
    assert seen
    assert [pair for pair in seen if pair[0] != pair[1]] == []


def versions(number: int) -> dict[str, File]:
    """Two files with the same in them."""
    return {name: File(content=b"%d" % number) for name in ("one", "two")}


def content(directory: int, name: str) -> bytes:
    """What the file ``name`` of an open directory has."""
    with open(name, "rb", opener=lambda path, flags: os.open(path, flags, dir_fd=directory)) as file:
        return file.read()


# --- of the host's, of minirun's, of an image --------------------------------


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """One of each kind, on the host."""
    place = tmp_path / "host"
    (place / "directory").mkdir(parents=True)
    (place / "file").write_text("x")
    os.mknod(place / "chardevice", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(place / "blockdevice", stat.S_IFBLK | 0o600, os.makedev(259, 777))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "socket"))
    (place / "link").symlink_to("directory")
    return place


KINDS = {
    "Directory": {"directory", "link"},
    "DirectoryOrCreate": {"directory", "link"},
    "File": {"file"},
    "FileOrCreate": {"file"},
    "Socket": {"socket"},
    "CharDevice": {"chardevice"},
    "BlockDevice": {"blockdevice"},
    "": {"directory", "file", "socket", "chardevice", "blockdevice", "link"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_host_path(places: Places, host: Path, kind: str) -> None:
    """What is of that kind is taken, and nothing else; links are followed."""
    taken = set()
    for name in os.listdir(host):
        try:
            made(places, Volume(name="v", hostPath=HostPathVolumeSource(path=f"{host}/{name}", type=kind)))
            taken.add(name)
        except Conflict as error:
            assert "is not a" in error.what
    assert taken == KINDS[kind]


@pytest.mark.parametrize(
    ("kind", "what"), [("", "directory"), ("DirectoryOrCreate", "directory"), ("FileOrCreate", "file")]
)
def test_host_path_is_made(places: Places, host: Path, kind: str, what: str) -> None:
    """And stays when the pod goes; the directories above a file are not made."""
    mask = os.umask(0o077)
    try:
        found = made(places, Volume(name="v", hostPath=HostPathVolumeSource(path=f"{host}/new", type=kind)))
    finally:
        os.umask(mask)
    assert of(host / "new") == (0, 0, "755" if what == "directory" else "644")
    volumes.unmake(found)
    assert (host / "new").exists()
    deep = Volume(name="v", hostPath=HostPathVolumeSource(path=f"{host}/no/such", type=kind))
    if what == "directory":
        made(places, deep)
        assert (host / "no" / "such").is_dir()
    else:
        with pytest.raises(NotFound, match="not the directories above"):
            made(places, deep)


@pytest.mark.parametrize("kind", ["Directory", "File", "Socket", "CharDevice", "BlockDevice"])
def test_host_path_is_missing(places: Places, host: Path, kind: str) -> None:
    """Said by name."""
    with pytest.raises(NotFound, match="the host has no"):
        made(places, Volume(name="v", hostPath=HostPathVolumeSource(path=f"{host}/none", type=kind)))
    assert not (host / "none").exists()


def test_a_claim_outlives_its_pod(places: Places) -> None:
    """A volume of minirun's, where `minirun volume` finds it."""
    found = made(places, CLAIM)
    place = Path(places.root, "volumes/db/_data")
    (place / "kept").touch()
    volumes.unmake(found)
    volumes.sweep(places.data, places.runtime)
    assert (place / "kept").exists()


@pytest.fixture
def claimed(places: Places, tmp_path: Path) -> Path:
    """A claim with files of an earlier pod, one a link that leads outside."""
    place = Path(places.root, "volumes/db/_data")
    (place / "sub" / "deep").mkdir(parents=True)
    for name, mode in (("plain", 0o600), ("program", 0o4755), ("sub/deep/file", 0o640)):
        (place / name).write_text("x")
        (place / name).chmod(mode)
    (tmp_path / "outside").write_text("x")
    (tmp_path / "outside").chmod(0o600)
    (place / "link").symlink_to(tmp_path / "outside")
    (place / "sub" / "up").symlink_to("../../../..")
    return place


def test_fs_group_of_a_claim(places: Places, claimed: Path, tmp_path: Path) -> None:
    """Everything gets the group, and the group may write; owners stay, and nothing outside changes."""
    made(places, CLAIM, securityContext=GROUP)
    assert of(claimed) == (0, 2345, "2775")
    assert of(claimed / "sub" / "deep") == (0, 2345, "2775")
    assert of(claimed / "plain") == (0, 2345, "660")
    assert of(claimed / "program") == (0, 2345, "4775")
    assert of(claimed / "sub" / "deep" / "file") == (0, 2345, "660")
    assert of(claimed / "link")[:2] == (0, 2345)
    assert of(tmp_path / "outside") == (0, 0, "600")
    assert of(claimed.parent)[1] == 0


def test_fs_group_on_root_mismatch(places: Places, claimed: Path) -> None:
    """What is deep down is not looked at once the top is right; it is where the top is not."""
    policy = replace(GROUP, fsGroupChangePolicy="OnRootMismatch")
    made(places, CLAIM, securityContext=policy)
    assert of(claimed / "plain") == (0, 2345, "660")
    os.chown(claimed / "plain", 0, 0)
    made(places, CLAIM, securityContext=policy)
    assert of(claimed / "plain") == (0, 0, "660")
    os.chmod(claimed, 0o755)
    made(places, CLAIM, securityContext=policy)
    assert of(claimed / "plain") == (0, 2345, "660")
    os.chown(claimed / "plain", 0, 0)
    made(places, CLAIM, securityContext=GROUP)
    assert of(claimed / "plain") == (0, 2345, "660")


@pytest.fixture
def layers(tmp_path: Path) -> tuple[str, str]:
    """Two layers: the upper one hides a file of the lower one, and adds one."""
    for name, files in (("lower", ("base", "hidden")), ("upper", ("added",))):
        (tmp_path / name / "etc").mkdir(parents=True)
        for file in files:
            (tmp_path / name / "etc" / file).write_text(file)
    os.mknod(tmp_path / "upper" / "etc" / "hidden", stat.S_IFCHR, 0)
    return str(tmp_path / "lower"), str(tmp_path / "upper")


@needs("overlay")
@pytest.mark.parametrize("count", [1, 2])
def test_image(places: Places, layers: tuple[str, ...], count: int) -> None:
    """Its layers as one, and no way to write to them, not even for who may remount."""
    found = made(places, Volume(name="v", image=ImageVolumeSource(reference=",".join(layers[:count]))))
    place = found.volumes["v"].path
    assert sorted(os.listdir(f"{place}/etc")) == (["base", "hidden"] if count == 1 else ["added", "base"])
    with pytest.raises(OSError) as caught:
        Path(place, "etc/new").touch()
    assert caught.value.errno == errno.EROFS
    assert "redirect_dir=nofollow" in mountinfo()[place]["super"]
    with pytest.raises(OSError):
        mount.mount(None, place, None, MountFlag.REMOUNT, None)
        Path(place, "etc/new").touch()
    volumes.make(found)
    assert len(mounted_below(place)) == 1
    volumes.unmake(found)
    assert mounted_below(places.runtime) == []


# --- in a container ----------------------------------------------------------


def member(*wanted: VolumeMount, privileged: bool = False) -> Container:
    """A container with these volumeMounts."""
    return Container(name="main", volumeMounts=wanted, securityContext=SecurityContext(privileged=privileged))


def seen(found: VolumePlan, container: Container, where: Path, look: Callable[[], Any]) -> Any:
    """What ``look`` says in the container's file system."""
    volumes.prepare(container, found, {})
    spec = make_spec(where, volumes.mounts(container, found, {}))
    return inside(spec, look)


@needs("overlay")
def test_a_container_sees_its_volumes(places: Places, tmp_path: Path) -> None:
    """Two containers share one; what is read-only is; a key of a ConfigMap is a file of its own."""
    found = made(places, Volume(name="shared"), SETTINGS, LOGIN)
    writer = member(VolumeMount(name="shared", mountPath="/out"))
    seen(found, writer, tmp_path, lambda: Path("/out/word").write_text("hello"))
    reader = member(
        VolumeMount(name="shared", mountPath="/in", readOnly=True),
        VolumeMount(name="conf", mountPath="/etc/app/a.conf", subPath="a"),
        VolumeMount(name="login", mountPath="/login"),
    )

    def look() -> list[str]:
        words = [Path(path).read_text() for path in ("/in/word", "/etc/app/a.conf", "/login/password")]
        for path in ("/in/new", "/login/new", "/etc/app/a.conf"):
            try:
                Path(path).write_text("x")
                words.append(f"wrote {path}")
            except OSError as error:
                words.append(errno.errorcode[error.errno or 0])
        return words

    assert seen(found, reader, tmp_path, look) == ["hello", "alpha", "hunter2", "EROFS", "EROFS", "EROFS"]


@needs("overlay")
def test_recursive_read_only(places: Places, host: Path, tmp_path: Path) -> None:
    """What is mounted below is writable with ``ro``, and is not with ``rro``."""

    def work() -> list[str]:
        mount.mount("tmpfs", str(host / "directory"), "tmpfs", MountFlag(0), None)
        found = made(places, Volume(name="v", hostPath=HostPathVolumeSource(path=str(host))))
        answers = []
        for recursive in ("Disabled", "IfPossible", "Enabled"):
            wanted = VolumeMount(name="v", mountPath="/v", readOnly=True, recursiveReadOnly=recursive)
            answers.append(seen(found, member(wanted), tmp_path, write_twice))
        return answers

    assert in_child(work) == ["EROFS wrote", "EROFS EROFS", "EROFS EROFS"]


def write_twice() -> str:
    """Into a volume, and into what is mounted below it."""
    words = []
    for path in ("/v/new", "/v/directory/new"):
        try:
            Path(path).touch()
            words.append("wrote")
        except OSError as error:
            words.append(errno.errorcode[error.errno or 0])
    return " ".join(words)


@needs("overlay")
@pytest.mark.parametrize(
    ("how", "tag"), [(None, ""), ("HostToContainer", "master:"), ("Bidirectional", "shared:")]
)
@pytest.mark.parametrize("part", ["", "sub"])
def test_propagation(
    places: Places, host: Path, tmp_path: Path, how: str | None, tag: str, part: str
) -> None:
    """Whether mounts of the host come through, and those of the container go out."""

    def work() -> str:
        mount.mount("tmpfs", str(host), "tmpfs", MountFlag(0), None)
        mount.mount(None, str(host), None, MountFlag.SHARED, None)
        (host / "sub").mkdir()
        found = made(places, Volume(name="v", hostPath=HostPathVolumeSource(path=str(host))))
        wanted = VolumeMount(name="v", mountPath="/v", mountPropagation=how, subPath=part)
        container = member(wanted, privileged=True)
        volumes.prepare(container, found, {})
        spec = make_spec(tmp_path, (PROC, *volumes.mounts(container, found, {})))
        return str(inside(spec, lambda: mountinfo()["/v"]["tags"]))

    answer = in_child(work)
    assert answer.startswith(tag) if tag else not answer


def test_propagation_that_cannot_work(places: Places, host: Path) -> None:
    """Said before the start: nothing would ever come through a private mount, and nobody would know."""

    def work() -> list[str]:
        mount.mount("tmpfs", str(host), "tmpfs", MountFlag(0), None)
        found = made(places, Volume(name="v", hostPath=HostPathVolumeSource(path=str(host))))
        answers = []
        for kind in (MountFlag.PRIVATE, MountFlag.SHARED, MountFlag.SLAVE):
            mount.mount(None, str(host), None, kind, None)
            for how in ("None", "HostToContainer", "Bidirectional"):
                wanted = VolumeMount(name="v", mountPath="/v", mountPropagation=how)
                try:
                    volumes.prepare(member(wanted, privileged=True), found, {})
                    answers.append("ok")
                except Conflict as error:
                    answers.append(error.what.split()[1])
        return answers

    refused = ["HostToContainer", "Bidirectional"]
    # The last: a peer group's only member has no master, so a slave is private again.
    assert in_child(work) == ["ok", *refused, "ok", "ok", "ok", "ok", *refused]


# --- subPath -----------------------------------------------------------------


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume that a hostile container has written to; beside it what is not its own."""
    place = tmp_path / "volume"
    (place / "good" / "deep").mkdir(parents=True)
    (place / "file").write_text("inside")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("outside")
    for name, target in {
        "absolute": str(secret),
        "host": "/etc",
        "root": "/",
        "up": "../secret",
        "good/upup": "../../secret",
        "chain": "good/upup",
        "proc": f"/proc/self/root{secret}",
        "cwd": "/proc/self/cwd",
        "loop": "loop",
        "within": "good/deep",
        "good/back": "../file",
        "nowhere": "missing",
        "outnowhere": "../secret/made",
    }.items():
        (place / name).symlink_to(target)
    return place


def look_at(descriptor: int) -> str:
    """Where it leads, and closes it."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("good", "good"),
        ("good/deep", "good/deep"),
        ("./good//deep/", "good/deep"),
        (".", ""),
        ("file", "file"),
        ("within", "good/deep"),
        ("good/back", "file"),
        ("good/../file", "file"),
    ],
)
def test_a_part_of_a_volume(volume: Path, path: str, found: str) -> None:
    """By links too, as long as they stay inside."""
    assert look_at(subpath.find(str(volume), path)) == str(volume / found)


@pytest.mark.parametrize("make", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "absolute", "absolute/key", "absolute/made", "host/passwd", "root", "root/etc", "up", "up/key",
        "up/made", "good/upup/key", "chain", "chain/key", "chain/made/more", "proc", "proc/key", "cwd",
        "loop", "loop/x",
        "..", "../secret", "good/../../secret/key", "/etc", "/", "nowhere", "outnowhere", "outnowhere/x",
        "file/x", "good/back/x",
    ],
)  # fmt: skip
def test_no_link_leads_out(volume: Path, path: str, make: bool) -> None:
    """Refused, and nothing is made outside."""
    before = sorted(map(str, volume.parent.rglob("*")))
    with pytest.raises(InvalidInput, match="subPath"):
        subpath.find(str(volume), path, make)
    assert sorted(map(str, volume.parent.rglob("*"))) == before


def test_a_missing_part_is_made(volume: Path) -> None:
    """As directories like the volume's own: same mode, the group's, root's inside the pod."""
    os.chown(volume, 65536, 67536)
    volume.chmod(0o2777)
    mask = os.umask(0o077)
    try:
        os.close(subpath.find(str(volume), "within/new/more", make=True, owner=65536))
    finally:
        os.umask(mask)
    # good/deep is older, and root's: set-group-ID is inherited from the one above.
    assert of(volume / "good" / "deep" / "new") == (65536, 65536, "777")
    os.close(subpath.find(str(volume), "x/y", make=True, owner=65536))
    assert of(volume / "x") == (65536, 67536, "2777")
    assert of(volume / "x" / "y") == (65536, 67536, "2777")
    os.close(subpath.find(str(volume), "x/y/z", make=True))  # where some of it is there


def test_a_link_swapped_while_it_is_resolved(volume: Path, places: Places) -> None:
    """Again and again a directory becomes a link to outside, and back; only the inside is ever bound."""
    (volume / "good" / "key").write_text("inside")
    target = f"{places.runtime}/subpaths/main/0"
    swapper = subprocess.Popen([sys.executable, "-c", SWAP, volume / "good", volume / "up"])
    bound = refused = 0
    try:
        for _ in range(300):
            try:
                subpath.bind(str(volume), "good", target, "rprivate", False)
            except InvalidInput:
                refused += 1
                continue
            bound += 1
            assert Path(target, "key").read_text() == "inside"
    finally:
        swapper.kill()
        swapper.wait()
    assert bound
    assert refused


#: Exchanges two names for ever: renameat2(2) with RENAME_EXCHANGE.
SWAP = """
import ctypes, sys
first, second = (word.encode() for word in sys.argv[1:])
while True:
    ctypes.CDLL(None).renameat2(-100, first, -100, second, 2)
"""


def test_a_part_is_resolved_at_each_start(places: Places) -> None:
    """What was removed and made anew between two starts is not the old one; a file is bound, too."""
    found = made(places, Volume(name="v"))
    place = Path(found.volumes["v"].path)
    container = member(VolumeMount(name="v", mountPath="/m", subPathExpr="$(NAME)/x"))
    target = Path(places.subpath("main", 0))
    volumes.prepare(container, found, {"NAME": "a"})
    (target / "first").touch()
    assert (place / "a" / "x" / "first").exists()
    os.rename(place / "a" / "x", place / "old")
    volumes.prepare(container, found, {"NAME": "a"})
    assert list(target.iterdir()) == []
    (place / "b").mkdir()
    (place / "b" / "x").write_text("a file")
    volumes.prepare(container, found, {"NAME": "b"})
    assert target.read_text() == "a file"
    assert len(mounted_below(places.runtime)) == 1
    volumes.unmake(found)
    assert mounted_below(places.runtime) == []
    assert not target.parent.parent.exists()


def test_a_part_of_what_is_read_only_is_not_made(places: Places) -> None:
    """A ConfigMap has only its keys."""
    found = made(places, SETTINGS)
    container = member(VolumeMount(name="conf", mountPath="/m", subPath="none"))
    with pytest.raises(InvalidInput, match="subPath 'none'"):
        volumes.prepare(container, found, {})


# --- undone ------------------------------------------------------------------


@pytest.mark.parametrize("how", ["rprivate", "rslave", "rshared"])
def test_undoing_a_bind_leaves_the_host_alone(places: Places, host: Path, how: str) -> None:
    """The host's own mounts are peers of what was bound, and stay when that is detached."""

    def work() -> bool:
        for place in (host, host / "directory" / "below"):
            place.mkdir(parents=True, exist_ok=True)
            mount.mount("tmpfs", str(place), "tmpfs", MountFlag(0), None)
            mount.mount(None, str(place), None, MountFlag.SHARED, None)
            (host / "directory" / "below").mkdir(parents=True, exist_ok=True)
        target = f"{places.runtime}/subpaths/main/0"
        subpath.bind(str(host), "directory", target, how, False)
        assert f"{target}/below" in mountinfo()
        volumes.sweep(f"{places.runtime}/subpaths")
        assert target not in mountinfo()
        return str(host / "directory" / "below") in mountinfo()

    assert in_child(work)


def test_a_sweep_undoes_what_containers_mounted(places: Places, tmp_path: Path) -> None:
    """Twice at one place, one below the other, in names that mountinfo has to escape."""
    odd = Path(places.data, "volumes", "a b\\c")
    odd.mkdir(parents=True)
    for place in (odd, odd, odd / "x"):
        place.mkdir(exist_ok=True)
        mount.mount("tmpfs", str(place), "tmpfs", MountFlag(0), None)
    (tmp_path / "way").symlink_to(Path(places.data).parent)
    volumes.sweep(f"{tmp_path}/way/u/volumes")
    assert mounted_below(places.data) == []
    assert not odd.parent.exists()


EVERYTHING = (
    Volume(name="plain"),
    MEMORY,
    SETTINGS,
    LOGIN,
    CLAIM,
)


def test_a_step_that_fails_is_told(places: Places) -> None:
    """With the call and the reason."""
    found = plan(places, Volume(name="a"))
    Path(places.data, "volumes").mkdir()
    Path(places.data, "volumes", "a").write_text("in the way")
    with pytest.raises(StepFailed, match="cannot make the directory of volume a"):
        volumes.make(found)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_a_step(places: Places, moment: str) -> None:
    """Made anew it is whole, and a sweep leaves nothing: at each step of the plan."""
    found = plan(places, *EVERYTHING, securityContext=GROUP)
    for number in range(1, len(found.steps) + 1):

        def fault(step: int, when: str, number: int = number) -> None:
            if (step, when) == (number, moment):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            volumes.make(found, fault)
        if number % 2:
            volumes.make(found)
            check(found)
        volumes.sweep(f"{places.runtime}/volumes", f"{places.data}/volumes")
        assert mounted_below(places.data, places.runtime) == []


def test_killed_anywhere(places: Places) -> None:
    """The same, between any two calls that the process makes: what it had done by then is no trap."""
    found = plan(places, *EVERYTHING, securityContext=GROUP)
    for count in range(1, 10_000, 3):
        finished = dies_after(count, lambda: volumes.make(found))
        volumes.make(found)
        check(found)
        volumes.sweep(f"{places.runtime}/volumes", f"{places.data}/volumes")
        assert mounted_below(places.data, places.runtime) == []
        if finished:
            assert count > 100
            return
    pytest.fail("it never came to an end")


def check(found: VolumePlan) -> None:
    """All volumes are whole."""
    assert of(found.volumes["plain"].path) == (0, 2345, "2777")
    assert of(found.volumes["fast"].path) == (0, 2345, "2777")
    assert Path(found.volumes["login"].path, "password").read_text() == "hunter2"
    conf = Path(found.volumes["conf"].path)
    assert ((conf / "a").read_text(), (conf / "b").read_text()) == ("alpha", "beta")
    assert len(os.listdir(conf)) == 4
    assert of(found.volumes["claim"].path) == (0, 2345, "2775")


def dies_after(count: int, work: Callable[[], object]) -> bool:
    """Has a child do ``work``, and end at its ``count``th call into C; whether it got through."""
    child = os.fork()
    if child == 0:
        calls = 0

        def profile(_frame: object, event: str, _arg: object) -> None:
            nonlocal calls
            calls += event == "c_call"
            if calls == count:
                os._exit(1)

        try:
            sys.setprofile(profile)
            work()
            sys.setprofile(None)
            os._exit(0)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 1)
    return status == 0


# --- how much is in it -------------------------------------------------------


def test_usage(tmp_path: Path) -> None:
    """What is on the disk: a file with two names once, a hole not, and no link's target."""
    block = os.statvfs(tmp_path).f_bsize
    place = tmp_path / "volume"
    place.mkdir()
    empty = volumes.usage(str(place))
    (place / "sub").mkdir()
    (place / "sub" / "one").write_bytes(bytes(10 * block))
    os.link(place / "sub" / "one", place / "two")
    with open(place / "sparse", "wb") as sparse:
        sparse.truncate(1 << 30)
    (tmp_path / "big").write_bytes(bytes(100 * block))
    (place / "link").symlink_to(tmp_path / "big")
    (place / "out").symlink_to("..")
    used = volumes.usage(str(place)) - empty
    assert 10 * block <= used <= 16 * block


def test_usage_passes_over_mounts(places: Places) -> None:
    """They are not on that disk."""
    place = Path(places.data, "volumes", "a")
    (place / "sub").mkdir(parents=True)
    before = volumes.usage(str(place))
    mount.mount("tmpfs", str(place / "sub"), "tmpfs", MountFlag(0), None)
    (place / "sub" / "big").write_bytes(bytes(1 << 20))
    assert volumes.usage(str(place)) <= before + 8192


def test_usage_at_any_depth(tmp_path: Path) -> None:
    """Deeper than any path can say: there is no place to hide in."""
    top = tmp_path / "volume"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    with open("hidden", "wb", opener=lambda path, flags: os.open(path, flags, 0o600, dir_fd=here)) as file:
        file.write(bytes(1 << 20))
    os.close(here)
    try:
        assert volumes.usage(str(top)) >= 1 << 20
    finally:
        volumes.sweep(str(top))  # rmtree of pytest would not come so deep


def test_over_the_limit(places: Places) -> None:
    """Which one, and of what size it may be: what evicts the pod."""
    limited = Volume(name="small", emptyDir=EmptyDirVolumeSource(sizeLimit="64Ki"))
    found = made(places, limited, Volume(name="free"))
    Path(found.volumes["free"].path, "big").write_bytes(bytes(1 << 20))
    assert volumes.over_limit(found) == ""
    Path(found.volumes["small"].path, "big").write_bytes(bytes(1 << 17))
    assert "small" in volumes.over_limit(found)
    assert "65536" in volumes.over_limit(found)
