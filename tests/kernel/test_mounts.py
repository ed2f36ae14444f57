"""What the container sees of files, looked up in the kernel: /proc/self/mountinfo, statvfs, and by trying."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minirun.isolation.mounts.defaults import default_mounts, masked_paths, readonly_paths
from minirun.linux import masks, mount
from minirun.linux.mount import MountFlag
from minirun.linux.namespace import CloneFlag
from minirun.spec import Mount, Namespace, Spec
from minirun.steps import INIT, Walk
from tests.kernel.rootfs import (
    failure,
    filesystem,
    host_side,
    hosts_mountinfo,
    in_child,
    in_user_namespace,
    inside,
    make_spec,
    mountinfo,
    with_root,
)
from tests.needs import missing, needs

pytestmark = [needs("root", "overlay"), pytest.mark.bed]

PROC = default_mounts()[:1]
DEV = tuple(each for each in default_mounts() if each.destination in ("/proc", "/dev"))
NO_CGROUP = tuple(each for each in default_mounts() if each.type != "cgroup")


def bind(source: Path | str, target: str, *options: str) -> Mount:
    """A recursive bind mount."""
    return Mount(destination=target, type="bind", source=str(source), options=("rbind", *options))


def refused(path: str) -> str:
    """The errno with which a write to ``path`` fails; "" if it does not."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


# --- a container with the defaults -------------------------------------------


def test_the_default_mounts(tmp_path: Path) -> None:
    """Each with its flags, and nothing of the host's."""
    found = inside(make_spec(tmp_path, NO_CGROUP), mountinfo)
    assert {place: each["type"] for place, each in found.items()} == {
        "/": "overlay",
        "/proc": "proc",
        "/dev": "tmpfs",
        "/dev/pts": "devpts",
        "/dev/mqueue": "mqueue",
        "/dev/shm": "tmpfs",
        "/sys": "sysfs",
    }
    for place in ("/proc", "/dev/mqueue", "/dev/shm", "/sys"):
        assert {"nosuid", "nodev", "noexec"} <= set(found[place]["options"].split(","))
    assert "ro" in found["/sys"]["options"].split(",")
    assert "size=65536k" in found["/dev/shm"]["super"]
    assert {"gid=5", "mode=620", "ptmxmode=666"} <= set(found["/dev/pts"]["super"].split(","))


def test_the_host_sees_nothing_of_it(tmp_path: Path) -> None:
    """The same mounts before, during and after."""
    before = hosts_mountinfo()
    spec = make_spec(tmp_path, NO_CGROUP)
    steps = filesystem(spec)
    with host_side(steps) as walk:
        ready, told = os.pipe()
        wait, go = os.pipe()

        def work() -> str:
            Walk(steps, INIT, dict(walk.results)).run()
            os.write(told, b"x")
            os.read(wait, 1)
            return "done"

        during: list[Any] = []
        child = os.fork()
        if child == 0:
            try:
                in_child(work)
            finally:
                os._exit(0)
        os.close(told)  # so that a child that died is an end of file here
        said = os.read(ready, 1)
        during.append(hosts_mountinfo())
        os.write(go, b"x")
        os.waitpid(child, 0)
        for end in (ready, wait, go):
            os.close(end)
    assert said == b"x"
    assert during == [before]
    assert hosts_mountinfo() == before


def test_masks_and_readonly_paths(tmp_path: Path) -> None:
    """Nothing can be read behind a mask, nothing be written below a read-only path."""
    cpus = os.cpu_count() or 1
    spec = make_spec(
        tmp_path, NO_CGROUP, maskedPaths=masked_paths(False, cpus), readonlyPaths=readonly_paths(False)
    )

    def look() -> Any:
        read = {}
        for path in masked_paths(False, cpus):
            if os.path.isdir(path):
                read[path] = os.listdir(path)
            elif os.path.exists(path):
                read[path] = list(Path(path).read_bytes())
        try:
            Path("/proc/sys/kernel/hostname").write_text("other")
        except OSError as error:
            return [read, errno.errorcode[error.errno or 0], refused("/proc/irq/default_smp_affinity")]
        return [read, "written", ""]

    read, sysctl, irq = inside(spec, look)
    assert "/proc/timer_list" in read
    assert {path: [] for path in read} == read
    assert (sysctl, irq) == ("EROFS", "EROFS")


def test_what_is_not_there_needs_no_mask(tmp_path: Path) -> None:
    """Kernels differ in what they have."""
    spec = make_spec(tmp_path, DEV, maskedPaths=("/proc/no-such",), readonlyPaths=("/proc/no-such",))
    assert inside(spec, lambda: os.path.exists("/proc/no-such")) is False


def test_an_impostor_does_not_mask(tmp_path: Path) -> None:
    """CVE-2025-31133: a /dev/null that is no null device would show what is behind it."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    spec = make_spec(tmp_path, [*DEV, bind(secret, "/dev/null")], maskedPaths=("/proc/timer_list",))
    # Either making the null device or masking with it refuses; the container does not start.
    assert "/dev/null" in failure(spec)


def test_a_mask_that_does_not_mask_is_found_out() -> None:
    """The second look can fail."""
    with pytest.raises(Exception, match="/proc/timer_list is not masked"):
        masks.check_masked(["/proc/timer_list"])
    with pytest.raises(Exception, match="/sys is not masked"):
        masks.check_masked(["/sys"])
    with pytest.raises(Exception, match="/proc/sys is not read-only"):
        masks.check_readonly(["/proc/sys"])


def test_a_symlink_for_a_null_device_is_found_out(tmp_path: Path) -> None:
    """The mask's source is not followed."""
    spec = make_spec(tmp_path, PROC)

    def look() -> Any:
        os.unlink("/dev/null")
        os.symlink("/proc/version", "/dev/null")
        masks.mask_file("/proc/timer_list")
        return "masked"

    assert "not the null device" in failure(spec, look)


def test_a_readonly_root(tmp_path: Path) -> None:
    """The root cannot be written, what is mounted in it can."""
    spec = with_root(make_spec(tmp_path, NO_CGROUP), readonly=True)
    found = inside(spec, lambda: [refused("/file"), refused("/dev/shm/file"), mountinfo()["/"]["options"]])
    assert found == ["EROFS", "", "ro,relatime"]


@pytest.mark.parametrize(
    ("word", "tag"), [("private", ""), ("shared", "shared:"), ("unbindable", "unbindable")]
)
def test_propagation_of_the_root(tmp_path: Path, word: str, tag: str) -> None:
    """linux.rootfsPropagation is what /proc/self/mountinfo says about /."""
    tags = inside(make_spec(tmp_path, PROC, rootfsPropagation=word), lambda: mountinfo()["/"]["tags"])
    assert tags.startswith(tag) if tag else tags == ""


def test_cgroups_are_shown_read_only(tmp_path: Path) -> None:
    """In a cgroup namespace, the container's own as the root."""
    place, kind = ("/sys/fs/cgroup", "cgroup2") if missing("cgroup1") else ("/sys/fs/cgroup/memory", "cgroup")
    spec = make_spec(tmp_path, default_mounts(), namespaces=(Namespace(type="cgroup"),))

    def look() -> Any:
        seen = mountinfo()[place]
        return [seen["type"], seen["options"].split(",")[0], refused(f"{place}/cgroup.procs")]

    assert inside(spec, look, CloneFlag.NEWCGROUP) == [kind, "ro", "EROFS"]


# --- binds -------------------------------------------------------------------


def test_a_bind(tmp_path: Path) -> None:
    """A directory, a file; the places are made."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("host")
    mounts = [bind(source, "/deep/data"), bind(source / "file", "/etc/file")]

    def look() -> Any:
        Path("/deep/data/new").write_text("container")
        return [Path("/deep/data/file").read_text(), Path("/etc/file").read_text()]

    assert inside(make_spec(tmp_path, mounts), look) == ["host", "host"]
    assert (source / "new").read_text() == "container"


def with_submount(spec: Spec, source: Path, look: Callable[[], Any], shared: bool = False) -> Any:
    """``look`` in a container whose bind source has a tmpfs mounted at ``source``/sub."""
    steps = filesystem(spec)
    with host_side(steps) as walk:

        def work() -> Any:
            mount.mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
            mount.mount("tmpfs", str(source / "sub"), "tmpfs", MountFlag(0), None)
            Walk(steps, INIT, dict(walk.results)).run()
            return look()

        return in_child(work)


@pytest.mark.parametrize(
    ("option", "expected"),
    [("ro", ["EROFS", ""]), ("rro", ["EROFS", "EROFS"]), ("rw", ["", ""])],
)
def test_read_only_and_what_lies_below(tmp_path: Path, option: str, expected: list[str]) -> None:
    """``ro`` is the mount's, ``rro`` is for all below too."""
    (tmp_path / "source/sub").mkdir(parents=True)
    spec = make_spec(tmp_path, [bind(tmp_path / "source", "/data", option)])
    found = with_submount(spec, tmp_path / "source", lambda: [refused("/data/f"), refused("/data/sub/f")])
    assert found == expected


def test_a_bind_that_is_not_recursive(tmp_path: Path) -> None:
    """What is mounted below is left behind."""
    (tmp_path / "source/sub").mkdir(parents=True)
    (tmp_path / "source/sub/covered").touch()
    plain = Mount(destination="/data", type="bind", source=str(tmp_path / "source"), options=("bind",))
    found = with_submount(make_spec(tmp_path, [plain]), tmp_path / "source", lambda: os.listdir("/data/sub"))
    assert found == ["covered"]


def test_flags_of_a_bind(tmp_path: Path) -> None:
    """nosuid, nodev, noexec and the rest, as the kernel has them."""
    (tmp_path / "source/sub").mkdir(parents=True)
    data = bind(tmp_path / "source", "/data", "nosuid", "rnodev", "noexec", "noatime")
    found = with_submount(
        make_spec(tmp_path, [*PROC, data]),
        tmp_path / "source",
        lambda: [mountinfo()[place]["options"] for place in ("/data", "/data/sub")],
    )
    assert found == ["rw,nosuid,nodev,noexec,noatime", "rw,nodev,relatime"]


@pytest.mark.parametrize(
    ("word", "arrives", "returns"),
    [("rprivate", False, False), ("rslave", True, False), ("rshared", True, True)],
)
def test_propagation_of_a_bind(tmp_path: Path, word: str, arrives: bool, returns: bool) -> None:
    """What the host mounts later arrives in the container, and the reverse, as was asked for."""
    source = tmp_path / "source"
    source.mkdir()
    spec = make_spec(tmp_path, [bind(source, "/data", word)])
    steps = filesystem(spec)
    with host_side(steps) as walk:
        assert in_child(lambda: exchange(steps, walk, source)) == [arrives, returns]


def exchange(steps: list[Any], walk: Walk, source: Path) -> list[bool]:
    """In a "host" of our own: mounts on both sides, and whether the other one saw it."""
    mount.mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
    mount.mount("tmpfs", str(source), "tmpfs", MountFlag(0), None)
    mount.mount(None, str(source), None, MountFlag.SHARED, None)
    for name in ("from-host", "from-container"):
        (source / name).mkdir()
    ready, told = os.pipe()
    wait, go = os.pipe()
    answer, says = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            seen = in_child(lambda: container(steps, walk, told, wait))
            os.write(says, b"1" if seen else b"0")
        finally:
            os._exit(0)
    os.close(told)  # so that a child that died is an end of file here
    os.close(says)
    os.read(ready, 1)
    returned = os.path.ismount(source / "from-container")
    mount.mount("tmpfs", str(source / "from-host"), "tmpfs", MountFlag(0), None)
    os.write(go, b"x")
    arrived = os.read(answer, 1) == b"1"
    os.waitpid(child, 0)
    return [arrived, returned]


def container(steps: list[Any], walk: Walk, told: int, wait: int) -> bool:
    """The container's side of ``exchange``."""
    Walk(steps, INIT, dict(walk.results)).run()
    mount.mount("tmpfs", "/data/from-container", "tmpfs", MountFlag(0), None)
    os.write(told, b"x")
    os.read(wait, 1)
    return os.path.ismount("/data/from-host")


def test_a_missing_source(tmp_path: Path) -> None:
    """Named, with what to do."""
    text = failure(make_spec(tmp_path, [bind(tmp_path / "gone", "/data")]))
    assert "ENOENT" in text
    assert str(tmp_path / "gone") in text
    assert "make it first" in text


def test_a_missing_source_that_shall_be_made(tmp_path: Path) -> None:
    """-v makes it; a start that fails takes it back, unless something was put there."""
    spec = make_spec(tmp_path, [bind(tmp_path / "a/new", "/data", "x-minirun.mkdir")])
    steps = filesystem(spec)
    with host_side(steps) as walk:
        assert in_child(lambda: (Walk(steps, INIT, dict(walk.results)).run(), os.listdir("/data"))[1]) == []
        assert (tmp_path / "a/new").is_dir()
    assert not (tmp_path / "a/new").exists()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A directory is not mounted on a file."""
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/data").touch()
    (tmp_path / "source").mkdir()
    assert "ENOTDIR" in failure(make_spec(tmp_path, [bind(tmp_path / "source", "/data")]))


# --- tmpfs -------------------------------------------------------------------


def test_tmpfs_options(tmp_path: Path) -> None:
    """Size and mode are the file system's, the flags the mount's."""
    options = ("noexec", "nosuid", "nodev", "size=64k", "mode=1770", "exec")
    spec = make_spec(
        tmp_path, [*PROC, Mount(destination="/t", type="tmpfs", source="tmpfs", options=options)]
    )
    found = inside(
        spec, lambda: [mountinfo()["/t"]["options"], os.stat("/t").st_mode, os.statvfs("/t").f_blocks]
    )
    assert found == ["rw,nosuid,nodev,relatime", 0o041770, 16]


def test_a_readonly_tmpfs_with_something_in_it(tmp_path: Path) -> None:
    """The places were made before it was closed."""
    (tmp_path / "source").mkdir()
    outer = Mount(destination="/t", type="tmpfs", source="tmpfs", options=("ro", "nosuid"))
    spec = make_spec(tmp_path, [*PROC, outer, bind(tmp_path / "source", "/t/below")])
    found = inside(spec, lambda: [refused("/t/file"), refused("/t/below/file"), mountinfo()["/t"]["options"]])
    assert found == ["EROFS", "", "ro,nosuid,relatime"]


def test_an_option_that_the_file_system_does_not_know(tmp_path: Path) -> None:
    """The kernel's refusal comes with the call."""
    odd = Mount(destination="/t", type="tmpfs", source="tmpfs", options=("frobnicate=1",))
    text = failure(make_spec(tmp_path, [odd]))
    assert "EINVAL" in text
    assert "frobnicate=1" in text


# --- images that mean harm ---------------------------------------------------


@pytest.mark.parametrize("link", ["/", "../../../..", "{outside}", "..", "/proc/self/root", "loop"])
@pytest.mark.parametrize("place", ["proc", "dev", "sys", "etc", "data"])
def test_no_symlink_leads_a_mount_outside(tmp_path: Path, place: str, link: str) -> None:
    """A mount point, or its parent, that is a link: inside, or refused, never on the host."""
    outside, source, layer = (tmp_path / name for name in ("outside", "source", "layer"))
    for directory in (outside, source, layer):
        directory.mkdir()
    (source / "file").touch()
    (layer / place).symlink_to(link.format(outside=outside))
    before = (hosts_mountinfo(), sorted(os.listdir("/")), sorted(os.listdir(tmp_path.parent)))
    mounts = [*NO_CGROUP, bind(source / "file", "/etc/hosts"), bind(source, "/data/below")]
    spec = make_spec(tmp_path, mounts, maskedPaths=("/proc/timer_list",), readonlyPaths=("/proc/sys",))
    try:
        found = inside(spec, lambda: [os.path.ismount("/proc"), Path("/proc/timer_list").read_text()])
        assert found == [True, ""]
    except AssertionError as error:
        # An image may keep itself from starting.
        assert str(error).startswith("cannot ")
    assert os.listdir(outside) == []
    assert (hosts_mountinfo(), sorted(os.listdir("/")), sorted(os.listdir(tmp_path.parent))) == before


@pytest.mark.parametrize("place", ["proc", "sys"])
def test_proc_and_sys_are_no_links(tmp_path: Path, place: str) -> None:
    """CVE-2019-19921, CVE-2023-28642: not even to a harmless directory."""
    (tmp_path / "layer/harmless").mkdir(parents=True)
    (tmp_path / "layer" / place).symlink_to("/harmless")
    assert f"cannot mount /{place}" in failure(make_spec(tmp_path, NO_CGROUP))
    host = bind(f"/{place}", f"/{place}", "rprivate")
    assert f"cannot mount /{place}" in failure(make_spec(tmp_path, [host]))


def test_nothing_is_mounted_over_the_root(tmp_path: Path) -> None:
    """It would hide what the masks are made for."""
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/data").symlink_to("/")
    (tmp_path / "source").mkdir()
    text = failure(make_spec(tmp_path, [*PROC, bind(tmp_path / "source", "/data")]))
    assert "leads to the root" in text


@pytest.mark.parametrize("target", ["/proc/sys/kernel", "/link/self/attr", "/proc"])
def test_nothing_is_mounted_into_proc(tmp_path: Path, target: str) -> None:
    """CVE-2019-16884: writes to the kernel would go into a file. Also through a link of the image's."""
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/link").symlink_to("/proc")
    (tmp_path / "source").mkdir()
    assert "part of procfs" in failure(make_spec(tmp_path, [*PROC, bind(tmp_path / "source", target)]))


def test_what_lxcfs_replaces_in_proc(tmp_path: Path) -> None:
    """A few files that only tell something may be others."""
    (tmp_path / "meminfo").write_text("MemTotal: 1 kB")
    spec = make_spec(tmp_path, [*PROC, bind(tmp_path / "meminfo", "/proc/meminfo")])
    assert inside(spec, lambda: Path("/proc/meminfo").read_text()) == "MemTotal: 1 kB"


def test_a_link_inside_is_followed_inside(tmp_path: Path) -> None:
    """/var/run -> /run is no attack: the mount is at /run."""
    (tmp_path / "layer/run").mkdir(parents=True)
    (tmp_path / "layer/var").mkdir()
    (tmp_path / "layer/var/run").symlink_to("/run")
    (tmp_path / "source").mkdir()
    found = inside(make_spec(tmp_path, [*PROC, bind(tmp_path / "source", "/var/run/data")]), mountinfo)
    assert "/run/data" in found


# --- volumes -----------------------------------------------------------------


def volume(tmp_path: Path, target: str = "/data", *more: str) -> Mount:
    """A named volume, as container/volumes.py has it."""
    source = tmp_path / "volumes/name/_data"
    words = ("rprivate", "x-minirun.volume", "x-minirun.mkdir", "x-minirun.copyup")
    return bind(source, target, *words, *more)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A layer with something at /data."""
    data = tmp_path / "layer/data"
    (data / "sub").mkdir(parents=True)
    (data / "file").write_text("from the image")
    (data / "sub/program").write_text("x")
    os.chown(data / "sub/program", 7, 8)
    (data / "sub/program").chmod(0o4755)
    os.utime(data / "file", (1, 2))
    (data / "link").symlink_to("/etc/passwd")
    os.mkfifo(data / "fifo")
    data.chmod(0o1777)
    os.chown(data, 5, 6)
    return data


def kept(tmp_path: Path) -> Path:
    """The volume's directory, there beforehand so that undo leaves it."""
    data = tmp_path / "volumes/name/_data"
    data.mkdir(parents=True)
    return data


def test_a_new_volume_begins_with_the_images_files(tmp_path: Path, image: Path) -> None:
    """Owners, modes, times and links; what they point to is not copied."""
    data = kept(tmp_path)
    assert inside(make_spec(tmp_path, [volume(tmp_path)]), lambda: sorted(os.listdir("/data"))) == [
        "fifo",
        "file",
        "link",
        "sub",
    ]
    assert (data / "file").read_text() == "from the image"
    assert (data / "file").stat().st_mtime == 2
    program = (data / "sub/program").stat()
    assert (program.st_uid, program.st_gid, program.st_mode & 0o7777) == (7, 8, 0o4755)
    assert os.readlink(data / "link") == "/etc/passwd"
    assert (data.stat().st_mode & 0o7777, data.stat().st_uid, data.stat().st_gid) == (0o1777, 5, 6)
    assert os.listxattr(data) == []


def test_a_used_volume_is_left_alone(tmp_path: Path, image: Path) -> None:
    """Only an empty one is filled."""
    (kept(tmp_path) / "own").touch()
    assert inside(make_spec(tmp_path, [volume(tmp_path)]), lambda: os.listdir("/data")) == ["own"]


def test_a_copy_that_was_cut_off_begins_anew(tmp_path: Path, image: Path) -> None:
    """The mark on the volume tells."""
    data = kept(tmp_path)
    (data / "half").touch()
    os.setxattr(data, "trusted.minirun.copying", b"1")
    found = inside(make_spec(tmp_path, [volume(tmp_path)]), lambda: sorted(os.listdir("/data")))
    assert found == ["fifo", "file", "link", "sub"]
    assert os.listxattr(data) == []


def test_a_readonly_volume_is_filled_too(tmp_path: Path, image: Path) -> None:
    """It is the container that may not write."""
    found = inside(
        make_spec(tmp_path, [volume(tmp_path, "/data", "rro")]), lambda: [refused("/data/x"), refused("/y")]
    )
    assert found == ["EROFS", ""]


def test_no_link_leads_the_copy_outside(tmp_path: Path) -> None:
    """An image whose /data is a link to the host's files copies nothing of them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/data").symlink_to(outside)
    (tmp_path / "layer" / str(outside).strip("/")).mkdir(parents=True)
    data = kept(tmp_path)
    inside(make_spec(tmp_path, [volume(tmp_path)]), lambda: "ran")
    assert os.listdir(data) == []


def test_a_new_volumes_directories_go_if_the_start_fails(tmp_path: Path) -> None:
    """Nothing half-made is left."""
    steps = filesystem(make_spec(tmp_path, [volume(tmp_path)]))
    with host_side(steps):
        assert (tmp_path / "volumes/name/_data").is_dir()
    assert not (tmp_path / "volumes/name").exists()


# --- in a user namespace -----------------------------------------------------


@needs("userns")
def test_everything_in_a_user_namespace(tmp_path: Path) -> None:
    """Where no device can be made and flags of the host's mounts are locked, all promises hold."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("host")
    spec = make_spec(
        tmp_path,
        [*NO_CGROUP, bind(tmp_path / "source", "/data", "rro"), bind("/sys", "/host-sys", "ro")],
        namespaces=tuple(Namespace(type=kind) for kind in ("user", "mount", "ipc", "network", "pid")),
        maskedPaths=("/proc/timer_list", "/proc/keys", "/sys/firmware", "/host-sys/firmware"),
        readonlyPaths=("/proc/sys", "/host-sys/fs"),
        devices=(),
    )
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    steps = filesystem(spec)

    def work() -> Any:
        Walk(steps, INIT, dict(walk.results)).run()
        null = os.stat("/dev/null").st_rdev
        seen = [Path("/data/file").read_text(), Path("/proc/keys").read_text(), os.listdir("/sys/firmware")]
        Path("/written").write_text("x")
        return [*seen, null == os.makedev(1, 3), refused("/data/x"), os.listdir("/host-sys/firmware")]

    with host_side(steps) as walk:
        for place in (spec.root.upperdir, spec.root.workdir):
            os.chown(place, 100000, 100000)
        found = in_user_namespace(work, 100000)
        assert os.stat(f"{spec.root.upperdir}/written").st_uid == 100000
    assert found == ["host", "", [], True, "EROFS", []]


@needs("userns")
def test_sysfs_with_the_hosts_network(tmp_path: Path) -> None:
    """The kernel refuses a new sysfs there; the host's is bound, and cannot be written."""
    sysfs = next(each for each in default_mounts() if each.type == "sysfs")
    spec = make_spec(tmp_path, [*PROC, sysfs], namespaces=tuple(Namespace(type=k) for k in ("user", "pid")))
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    steps = filesystem(spec)

    def work() -> Any:
        Walk(steps, INIT, dict(walk.results)).run()
        return [mountinfo()["/sys"]["options"].split(",")[0], "kernel" in os.listdir("/sys")]

    with host_side(steps) as walk:
        for place in (spec.root.upperdir, spec.root.workdir):
            os.chown(place, 100000, 100000)
        kinds = CloneFlag.NEWUSER | CloneFlag.NEWNS | CloneFlag.NEWPID
        assert in_user_namespace(work, 100000, kinds) == ["ro", True]
