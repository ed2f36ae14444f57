"""What a container sees of files: its mounts from the host's side, their effect from within."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from minirun.isolation import apparmor
from minirun.isolation.mounts.defaults import MASKED_DIRECTORIES, MASKED_FILES, READONLY_PATHS
from tests.conftest import Minirun
from tests.lifecycle import proc
from tests.needs import needs

pytestmark = [pytest.mark.bed, pytest.mark.slow]

SAFE = {"nosuid", "nodev", "noexec"}


@needs("root", "overlay")
def test_the_mounts_that_nobody_asked_for(minirun: Minirun) -> None:
    pid = proc.start(minirun, "plain")
    seen = proc.mounts(pid)
    expected: Mapping[str, tuple[str, set[str]]] = {
        "/": ("overlay", {"rw"}),
        "/proc": ("proc", {"rw", *SAFE}),
        "/sys": ("sysfs", {"ro", *SAFE}),
        "/dev": ("tmpfs", {"rw", "nosuid", "mode=755", "size=65536k"}),
        "/dev/pts": ("devpts", {"rw", "nosuid", "noexec", "mode=620", "ptmxmode=666"}),
        "/dev/shm": ("tmpfs", {"rw", *SAFE, "size=65536k"}),
        "/dev/mqueue": ("mqueue", {"rw", *SAFE}),
        "/sys/fs/cgroup": (seen["/sys/fs/cgroup"].kind, {"ro", *SAFE}),
    }
    for place, (kind, options) in expected.items():
        assert seen[place].kind == kind
        assert options <= seen[place].options, place
    assert {each.propagation for each in seen.values()} == {"private"}
    covered = {*MASKED_FILES, *MASKED_DIRECTORIES, *READONLY_PATHS}
    for name in ("hosts", "resolv.conf", "hostname"):
        assert seen[f"/etc/{name}"].options >= {"rw"}
    expected = {**expected, "/etc/hosts": ..., "/etc/resolv.conf": ..., "/etc/hostname": ...}
    others = {place for place in seen if not place.startswith("/sys/fs/cgroup/") and "thermal" not in place}
    assert others - covered == set(expected)
    # Masks and read-only paths: all that this kernel has.
    for path in READONLY_PATHS:
        assert not os.path.exists(path) or "ro" in seen[path].options
    files = [path for path in MASKED_FILES if os.path.exists(path)]
    said = proc.inside(minirun, "plain", "; ".join(f"stat -c %t:%T {path}; wc -c < {path}" for path in files))
    if apparmor.default_profile():  # it knows the path, whatever is mounted there
        assert said.count("sh: can't open /proc/kcore: Permission denied") == 1
        said = ["0" if "/proc/kcore: Permission denied" in line else line for line in said]
    assert said == ["1:3", "0"] * len(files)
    directories = [path for path in MASKED_DIRECTORIES if os.path.isdir(path)]
    assert not proc.inside(minirun, "plain", f"ls -A {' '.join(directories)} | grep -v '^$' | grep -v :$")
    said = proc.inside(minirun, "plain", "; ".join(f"echo 1 > {path}/x" for path in ("/sys", "/proc/sys")))
    assert all("Read-only file system" in line or "nonexistent" in line for line in said)


@needs("root", "overlay", "devices")
def test_devices(minirun: Minirun) -> None:
    """A node may be made; what may be opened is up to the device cgroup."""
    loop = "/dev/loop-control"
    extra = ["--device", f"{loop}:/dev/loops:r"] if os.path.exists(loop) else []
    proc.start(minirun, "plain", *extra)
    names = proc.inside(minirun, "plain", "ls /dev")
    own = {*"null zero full random urandom tty fd stdin stdout stderr ptmx pts shm mqueue".split()}
    assert set(names) == own | ({"loops"} if extra else set())
    works = {
        "echo lost > /dev/null; cat /dev/null | wc -c": "0",
        "head -c 8 /dev/zero | wc -c": "8",
        "echo x > /dev/full": "No space left on device",
        "head -c 8 /dev/urandom | wc -c": "8",
        "echo given | cat /dev/stdin": "given",
        "readlink /dev/ptmx": "pts/ptmx",
        # The host's memory, disk and kernel log, by nodes of its own making.
        "mknod /tmp/disk b 8 0 && stat -c %F /tmp/disk": "block special file",
        "head -c 1 /tmp/disk": "Operation not permitted",
        "mknod /tmp/log c 1 11 && head -c 1 /tmp/log": "Operation not permitted",
        "mknod /tmp/null c 1 3 && echo x > /tmp/null && echo fine": "fine",
    }
    if extra:
        works["exec 3< /dev/loops && echo read"] = "read"
        works["exec 3> /dev/loops && echo written"] = "Operation not permitted"
    for script, word in works.items():
        assert word in "\n".join(proc.inside(minirun, "plain", script)), script


@pytest.fixture
def host_tree(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host's with a file system mounted in it."""
    (tmp_path / "file").write_text("host")
    (tmp_path / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "below", tmp_path / "below"], check=True)
    (tmp_path / "below" / "file").write_text("below")
    yield tmp_path
    subprocess.run(["umount", tmp_path / "below"], check=True)


@needs("root", "overlay")
def test_volumes_and_what_cannot_be_written(minirun: Minirun, host_tree: Path) -> None:
    flags = [
        *["--read-only", "--shm-size", "1m", "--tmpfs", "/tmp:size=2m,mode=700", "-v", f"{host_tree}:/ro:ro"],
        *["-v", f"{host_tree}:/rw", "-v", f"{host_tree}/below:/limited:nosuid,nodev,noexec"],
    ]
    pid = proc.start(minirun, "volumes", *flags)
    seen = proc.mounts(pid)
    for place, options in {
        "/": {"ro"},
        "/ro": {"ro"},
        "/ro/below": {"ro"},  # recursively: what is mounted below is read-only too
        "/rw": {"rw"},
        "/rw/below": {"rw"},
        "/limited": {"rw", "nosuid", "nodev", "noexec"},
        "/tmp": {"rw", "size=2048k", "mode=700"},
        "/dev/shm": {"rw", "size=1024k"},
    }.items():
        assert options <= seen[place].options, place
        assert seen[place].propagation == "private", place
    script = "for place in / /bin /ro /ro/below; do touch $place/x; done; cat /ro/file /ro/below/file"
    said = proc.inside(minirun, "volumes", script)
    assert len(said) == 5
    assert all("Read-only file system" in line for line in said[:4])
    assert said[4] == "hostbelow"
    # A volume is the host's directory itself, and a tmpfs ends at its size.
    script = "echo from inside > /rw/below/word; cp /bin/busybox /limited/sh; chmod +x /limited/sh"
    proc.inside(minirun, "volumes", script)
    assert (host_tree / "below" / "word").read_text() == "from inside\n"
    assert "Permission denied" in "".join(proc.inside(minirun, "volumes", "/limited/sh true"))
    for place in ("/tmp", "/dev/shm"):
        said = proc.inside(minirun, "volumes", f"dd if=/dev/zero of={place}/big bs=1M count=3")
        assert any("No space left on device" in line for line in said)
    # What is mounted on the host from now on is not seen inside.
    os.mkdir(host_tree / "later")
    subprocess.run(["mount", "-t", "tmpfs", "later", host_tree / "later"], check=True)
    try:
        assert "/rw/later" not in proc.mounts(pid)
    finally:
        subprocess.run(["umount", host_tree / "later"], check=True)


@needs("root", "overlay")
def test_a_file_of_the_hosts(minirun: Minirun, tmp_path: Path) -> None:
    """-v takes a file too, also onto one that the image has not; a device is one. What is missing is made."""
    file = tmp_path / "file"
    file.write_text("host\n")
    mounts = [f"{file}:/file:ro", f"{file}:/made/here", "/dev/null:/nothing", f"{tmp_path}/new/one:/new"]
    words = [word for mount in mounts for word in ("-v", mount)]
    script = "cat /file /made/here /nothing; ls -d /new/; echo x >/file"
    done = minirun("run", "--rm", "--network", "none", *words, "busybox", "sh", "-c", script)
    assert done.stdout == "host\nhost\n/new/\n"
    assert "Read-only file system" in done.stderr
    assert (tmp_path / "new" / "one").is_dir()
    (tmp_path / "dangling").symlink_to("nowhere")
    done = minirun("run", "--rm", "-v", f"{tmp_path}/dangling:/x", "busybox", "true")
    assert done.returncode == 125
    assert "dangling" in done.stderr


@needs("root", "overlay")
def test_a_named_volume_begins_with_the_image_and_is_shared(minirun: Minirun) -> None:
    run = ("run", "--rm", "--network", "none")
    script = "ls /etc; echo word > /etc/own"
    first = minirun(*run, "-v", "promise:/etc", "busybox", "sh", "-c", script, check=True)
    assert "passwd" in first.stdout.split()
    script = "cat /data/own; ls -a /data; stat -c %a /data"
    second = minirun(*run, "-v", "promise:/data:ro", "busybox", "sh", "-c", script, check=True).stdout.split()
    assert second[0] == "word"
    assert {"passwd", "group"} <= set(second)
    # The second one had nothing at /data; an empty volume at /etc without a copy stays empty.
    bare = minirun(*run, "-v", "bare:/etc:nocopy", "busybox", "ls", "-A", "/etc", check=True)
    assert bare.stdout.split() == ["hostname", "hosts", "resolv.conf"]
    refused = minirun(*run, "-v", "promise:/data:ro", "busybox", "touch", "/data/x")
    assert "Read-only file system" in refused.stderr


@needs("root", "overlay")
@pytest.mark.parametrize("links", [{"proc": "/etc"}, {"sys": "/proc"}, {"proc": "../../../../../proc"}])
def test_a_root_with_a_link_for_proc_is_refused(
    minirun: Minirun, tmp_path: Path, busybox_rootfs: Path, links: dict[str, str]
) -> None:
    """Masks and read-only paths are kept by their paths: those must be what they are called."""
    image = hostile(minirun, tmp_path, busybox_rootfs, links)
    done = minirun("run", "--rm", "--network", "none", image, "/bin/busybox", "true")
    assert done.returncode == 125
    assert "symbolic link" in done.stderr
    assert minirun("ps", "-aq").stdout == ""


@needs("root", "overlay")
def test_links_of_an_image_stay_in_the_image(minirun: Minirun, tmp_path: Path, busybox_rootfs: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "word").write_text("host")
    links = {
        "dev": "/tmp",
        "etc": str(secret),
        "data": f"../../../../..{secret}",
        "work": str(secret),
        "root": "/proc/1/root",
    }
    image = hostile(minirun, tmp_path, busybox_rootfs, links)
    before = set(proc.mounts()) & {"/tmp", "/data", "/dev", str(secret)}
    flags = ["--rm", "--network", "none", "--tmpfs", "/data", "-w", "/work"]
    script = f"echo from inside > /etc/word; echo > /data/x; echo {secret}/*; ls /tmp; echo a > /work/b; pwd"
    done = minirun("run", *flags, image, "/bin/busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert f"{secret}/word" in done.stdout  # its own, which it made at that path in its own tree
    assert "null" in done.stdout
    assert (secret / "word").read_text() == "host"
    assert [path.name for path in secret.iterdir()] == ["word"]
    assert set(proc.mounts()) & {"/tmp", "/data", "/dev", str(secret)} == before
    # Volumes over the root, or over a part of /proc, would uncover what is masked.
    for link, target in (("data", "/"), ("data", "/proc/sys"), ("data", "/proc")):
        image = hostile(minirun, tmp_path, busybox_rootfs, {link: target})
        done = minirun("run", "--rm", "--network", "none", "--tmpfs", "/data", image, "/bin/busybox", "true")
        assert done.returncode == 125, target
        assert "cannot mount /data" in done.stderr


def hostile(minirun: Minirun, tmp_path: Path, rootfs: Path, links: Mapping[str, str]) -> str:
    """An image of a busybox and symbolic links."""
    file = tmp_path / "hostile.tar"
    with tarfile.open(file, "w") as archive:
        archive.add(rootfs / "bin" / "busybox", "bin/busybox")
        for name in ("tmp", *links):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.type = 0o777, tarfile.DIRTYPE
            if name in links:
                entry.type, entry.linkname = tarfile.SYMTYPE, links[name]
            archive.addfile(entry, io.BytesIO())
    name = f"hostile:{abs(hash(tuple(links.items())))}"
    minirun("import", str(file), name, check=True)
    return name


@needs("root", "overlay")
def test_what_a_container_writes_is_out_of_reach_for_the_hosts_users(minirun: Minirun) -> None:
    """Its root can make a set-user-ID program; CVE-2021-41091 was such a one, run from outside."""
    script = (
        "cp /bin/busybox /tmp/mine; chmod 4755 /tmp/mine; cp /bin/busybox /data/mine; chmod 4755 /data/mine"
    )
    minirun("run", "--name", "maker", "-v", "reach:/data", "busybox", "sh", "-c", script, check=True)
    root = minirun.root
    (made,) = root.glob("containers/*/upper/tmp/mine")
    for program in (made, root / "volumes/reach/_data/mine"):
        assert program.stat().st_mode & 0o7777 == 0o4755
        with pytest.raises(PermissionError):
            subprocess.run([program], user=65534, group=65534, extra_groups=[], check=False)
    minirun("rm", "maker", check=True)
    minirun("volume", "rm", "reach", check=True)
