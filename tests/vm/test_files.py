"""Volumes, disks and the image's own files: what the guest sees, and what reaches the host."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.image.archives import Layout, configuration, entry, snapshot, tar
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import until
from tests.vm.conftest import running

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run")
#: What a hostile guest's root would do: a share, mounted once more.
MOUNT = "mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory of the host's with a file that somebody owns."""
    place = tmp_path / "shared"
    place.mkdir()
    (place / "host").write_text("from the host\n")
    os.chown(place / "host", 1234, 4321)
    return place


def test_a_volume_is_one_directory_for_both(vm: Minirun, shared: Path) -> None:
    script = """
        stat -c '%u:%g %n' host; cat host
        echo guest > new; chown 55:66 new; chmod 640 new; ln -s new link; mkdir deep; mv host deep/moved
        dd if=/dev/zero of=big bs=1M count=3 2>/dev/null; rm big; dd if=/dev/urandom of=big bs=64k count=20
        sha256sum big; ls -A"""
    done = vm(*RUN, "-v", f"{shared}:/data", "-w", "/data", "busybox", "sh", "-c", script, check=True)
    owner, content, digest, *names = done.stdout.splitlines()
    assert (owner, content) == ("1234:4321 host", "from the host")
    assert sorted(names) == sorted(os.listdir(shared)) == ["big", "deep", "link", "new"]
    new = (shared / "new").stat()
    assert (new.st_uid, new.st_gid, new.st_mode & 0o7777) == (55, 66, 0o640)
    assert (shared / "link").read_text() == "guest\n"
    assert (shared / "deep/moved").read_text() == "from the host\n"
    assert hashlib.sha256((shared / "big").read_bytes()).hexdigest() == digest.split()[0]


def test_what_a_user_makes_in_a_volume_is_that_users(vm: Minirun, shared: Path) -> None:
    """And what is not for this user stays out of reach."""
    shared.chmod(0o777)
    (shared / "host").chmod(0o600)
    script = "touch file; mkdir dir; ln -s x link; cat host; stat -c '%u:%g %n' file dir link"
    words = ("-u", "1000:2000", "-v", f"{shared}:/data", "-w", "/data", "busybox", "sh", "-c", script)
    done = vm(*RUN, *words)
    assert done.stdout == "1000:2000 file\n1000:2000 dir\n1000:2000 link\n"
    assert "can't open 'host': Permission denied" in done.stderr
    for name in ("file", "dir", "link"):
        assert (os.lstat(shared / name).st_uid, os.lstat(shared / name).st_gid) == (1000, 2000)


def test_read_only_volumes_and_single_files(vm: Minirun, shared: Path) -> None:
    before = snapshot(shared)
    flags = (
        "-v",
        f"{shared}:/ro:ro",
        "-v",
        f"{shared}/host:/etc/one:ro",
        "-v",
        f"{shared}/host:/deep/er/two",
    )
    script = """
        touch /ro/new; touch -c /ro/host; rm /ro/host; echo x > /etc/one; mount -o remount,rw /ro
        cat /etc/one /deep/er/two"""
    done = vm(*RUN, *flags, "busybox", "sh", "-c", script, check=True)
    assert done.stdout == "from the host\n" * 2
    assert done.stderr.count("Read-only file system") >= 4
    assert snapshot(shared) == before


def test_not_even_the_guests_kernel_writes_to_a_read_only_volume(vm: Minirun, shared: Path) -> None:
    """What is mounted read-only in there only shows it; the host's own mount holds."""
    script = f"umount /ro; {MOUNT} volumes /m; echo x > /m/0/new; echo x > /m/0/host"
    before = snapshot(shared)
    done = vm(*RUN, "-v", f"{shared}:/ro:ro", "busybox", "sh", "-c", script)
    assert done.stderr.count("Read-only file system") == 2, done.stderr
    assert snapshot(shared) == before


def test_a_named_volume_is_filled_from_the_image_and_stays(vm: Minirun) -> None:
    script = "ls /etc; echo kept > /etc/new"
    first = vm(*RUN, "-v", "named:/etc", "busybox", "sh", "-c", script, check=True).stdout.split()
    assert "passwd" in first and "new" not in first
    second = vm(*RUN, "-v", "named:/other", "busybox", "cat", "/other/new", check=True)
    assert second.stdout == "kept\n"
    vm("volume", "rm", "named", check=True)


def test_tmpfs_and_the_defaults_that_one_may_replace(vm: Minirun, tmp_path: Path) -> None:
    """What is asked for at the place of a default is there instead of it."""
    flags = (
        "--tmpfs",
        "/scratch:size=2m,mode=700",
        "--tmpfs",
        "/dev/shm:size=1m",
        "-v",
        f"{tmp_path}/made:/mnt/x",
    )
    script = "df -k /scratch /dev/shm | awk 'NR>1 {print $2}'; stat -c %a /scratch; touch /mnt/x/touched"
    done = vm(*RUN, *flags, "busybox", "sh", "-c", script, check=True)
    assert done.stdout.split() == ["2048", "1024", "700"]
    assert os.listdir(tmp_path / "made") == ["touched"]  # -v makes what is not there, as docker does


def test_a_mount_source_that_is_missing(vm: Minirun) -> None:
    done = vm(*RUN, "--mount", "type=bind,source=/no/such,target=/x", "busybox", "true")
    assert done.returncode == 125 and "/no/such" in done.stderr
    assert running(vm) == set()


def test_a_guest_changes_nothing_in_its_image(vm: Minirun) -> None:
    """Not as root, and not past its own mounts; and other machines see nothing of it."""
    layers = vm.root / "layers"
    before = snapshot(layers)
    script = f"echo x > /etc/passwd; rm -r /bin/cat; echo new > /new; {MOUNT} root /m"
    done = vm(*RUN, "busybox", "sh", "-c", script)
    assert done.returncode and "Device or resource busy" in done.stderr  # once is all
    assert snapshot(layers) == before
    assert vm(*RUN, "busybox", "cat", "/etc/passwd", check=True).stdout.startswith("root:")


def test_layers_are_merged(vm: Minirun, busybox_rootfs: Path, tmp_path: Path) -> None:
    """Files of all layers, the upper ones before the lower ones, and what one has removed is gone."""
    busybox = (busybox_rootfs / "bin/busybox").read_bytes()
    base = tar(
        entry("bin", "dir"),
        entry("bin/busybox", content=busybox, mode=0o755),
        entry("bin/sh", "symlink", linkname="busybox"),
        entry("lower", content=b"lower\n"),
        entry("both", content=b"old\n"),
        entry("gone", content=b"gone\n"),
    )
    middle = tar(entry("middle", content=b"middle\n"), entry(".wh.gone"))
    top = tar(entry("both", content=b"new\n", uid=7))
    config = configuration(
        base, middle, top, config={"Cmd": ["sh", "-c", "echo $A"], "Env": ["PATH=/bin", "A=b"]}
    )
    archive = tmp_path / "three.tar"
    archive.write_bytes(Layout().add("three:1", base, middle, top, config=config).pack())
    vm("load", "-i", str(archive), check=True)
    script = "busybox cat lower middle both; busybox stat -c %u both; busybox ls gone"
    done = vm(*RUN, "three:1", "sh", "-c", script)
    assert done.stdout == "lower\nmiddle\nnew\n7\n" and "gone: No such file" in done.stderr
    assert vm(*RUN, "three:1", check=True).stdout == "b\n"
    vm("rmi", "three:1", check=True)


def test_a_disk(vm: Minirun, tmp_path: Path) -> None:
    """/dev/vda, /dev/vdb: what the guest writes is on the host when the program has ended."""
    for name in ("a,b", "second"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2 << 20)
    flags = ("--disk", str(tmp_path / "a,b"), "--disk", str(tmp_path / "second"))
    script = "printf first | dd of=/dev/vda; wc -c < /dev/vdb; printf second > /dev/vdb; sync"
    done = vm(*RUN, *flags, "busybox", "sh", "-c", script, check=True)
    assert done.stdout.split() == [str(2 << 20)]
    assert (tmp_path / "a,b").read_bytes()[:6] == b"first\0"
    assert (tmp_path / "second").read_bytes()[:7] == b"second\0"


def test_a_disk_that_is_not_there(vm: Minirun) -> None:
    done = vm(*RUN, "--disk", "/no/such/disk", "busybox", "true")
    assert done.returncode == 125 and "/no/such/disk" in done.stderr and "try:" in done.stderr


def test_a_volume_that_a_machine_uses_while_it_runs(vm: Minirun, shared: Path) -> None:
    """Both write to it at the same time, and each sees the other's."""
    script = """
        echo ready; until test -e /data/go; do sleep 0.05; done
        cat /data/go; echo answer > /data/answer; sleep 1000"""
    process = shell.watched(
        vm, *RUN, "--name", "talk", "-v", f"{shared}:/data", "busybox", "sh", "-c", script
    )
    assert shell.line(process) == "ready"
    (shared / "go.new").write_text("question\n")
    (shared / "go.new").rename(shared / "go")
    assert shell.line(process) == "question"
    answer = shared / "answer"
    until("the answer is there", lambda: answer.exists() and answer.read_text() == "answer\n")
    vm("vm", "stop", "-t", "0", "talk", check=True)
    assert shell.end(process) == 137
