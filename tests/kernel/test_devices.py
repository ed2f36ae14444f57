"""/dev: the nodes are what they are called, and the console is the terminal that was given."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from minirun.isolation import devices
from minirun.isolation.mounts.defaults import default_mounts
from minirun.linux import device, path, terminal
from minirun.spec import Device, Mount
from minirun.steps import INIT, Ref, Walk
from tests.kernel.rootfs import failure, filesystem, host_side, in_child, inside, make_spec, with_root
from tests.needs import needs

pytestmark = [needs("root", "overlay"), pytest.mark.bed]

NUMBERS = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
DEV = tuple(each for each in default_mounts() if each.destination in ("/proc", "/dev", "/dev/pts"))


def node(path: str) -> list[Any]:
    """Type, numbers, mode and owner of ``path``."""
    found = os.lstat(path)
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b" if stat.S_ISBLK(found.st_mode) else "other"
    rdev = found.st_rdev
    return [kind, os.major(rdev), os.minor(rdev), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid]


def test_the_standard_nodes(tmp_path: Path) -> None:
    """Their numbers are the kernel's, everyone may use them, whatever our umask."""
    umask = os.umask(0o077)
    try:
        found = inside(make_spec(tmp_path, DEV), lambda: {name: node(f"/dev/{name}") for name in NUMBERS})
    finally:
        os.umask(umask)
    assert found == {name: ["c", *numbers, 0o666, 0, 0] for name, numbers in NUMBERS.items()}


def test_they_work(tmp_path: Path) -> None:
    """The driver behind the name answers."""

    def look() -> Any:
        Path("/dev/null").write_text("gone")
        with open("/dev/zero", "rb") as zero, open("/dev/fd/0", "rb") as first:
            return [list(zero.read(3)), Path("/dev/null").read_text(), os.fstat(first.fileno()).st_rdev > 0]

    spec = make_spec(tmp_path, DEV)
    steps = filesystem(spec)
    with host_side(steps) as walk:

        def work() -> Any:
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            Walk(steps, INIT, walk.results).run()
            return look()

        assert in_child(work) == [[0, 0, 0], "", True]


def test_links(tmp_path: Path) -> None:
    """The streams by name; ptmx is the container's own."""
    found = inside(
        make_spec(tmp_path, DEV),
        lambda: {name: os.readlink(f"/dev/{name}") for name in ("fd", "stdin", "stdout", "stderr", "ptmx")},
    )
    assert found == {
        "fd": "/proc/self/fd",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
        "ptmx": "pts/ptmx",
    }


def test_an_asked_for_device(tmp_path: Path) -> None:
    """In a directory that is made, with the mode and owner of the spec."""
    asked = Device(path="/dev/net/tun", type="c", major=10, minor=200, fileMode=0o640, uid=7, gid=8)
    fifo = Device(path="/dev/initctl", type="p", fileMode=0o600)
    spec = make_spec(tmp_path, DEV, devices=(asked, fifo))
    found = inside(spec, lambda: [node("/dev/net/tun"), stat.S_ISFIFO(os.stat("/dev/initctl").st_mode)])
    assert found == [["c", 10, 200, 0o640, 7, 8], True]


def test_an_images_file_is_not_taken_for_a_device(tmp_path: Path) -> None:
    """Without a tmpfs at /dev the image's own is used: what lies there must be the device."""
    (tmp_path / "layer/dev").mkdir(parents=True)
    (tmp_path / "layer/dev/null").write_text("impostor")
    assert "EEXIST" in failure(make_spec(tmp_path))


def test_an_images_node_is_taken_if_it_is_the_device(tmp_path: Path) -> None:
    """The same numbers: nothing to do."""
    (tmp_path / "layer/dev").mkdir(parents=True)
    os.mknod(tmp_path / "layer/dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert inside(make_spec(tmp_path), lambda: node("/dev/null")[:3]) == ["c", 1, 3]


@pytest.mark.parametrize("link", ["/", "../../..", "{outside}"])
def test_no_node_is_made_outside(tmp_path: Path, link: str) -> None:
    """An image whose /dev leads elsewhere gets its nodes inside all the same."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/dev").symlink_to(link.format(outside=outside))
    (tmp_path / "layer" / str(outside).strip("/")).mkdir(parents=True)
    host = set(os.listdir("/"))
    assert inside(make_spec(tmp_path), lambda: node("/dev/null")[:3]) == ["c", 1, 3]
    assert os.listdir(outside) == []
    assert set(os.listdir("/")) == host


def test_the_hosts_dev_gets_nothing(tmp_path: Path) -> None:
    """Bound from the host, /dev is left as it is."""
    host = tmp_path / "hostdev"
    host.mkdir()
    bound = Mount(destination="/dev", type="bind", source=str(host), options=("rbind",))
    assert inside(make_spec(tmp_path, [bound]), lambda: os.listdir("/dev")) == []
    assert os.listdir(host) == []


def with_console(spec: Any, look: Any) -> Any:
    """What ``look(slave)`` says after the console was put in place."""
    steps = filesystem(spec)
    with host_side(steps) as walk:

        def work() -> Any:
            inner = Walk(steps, INIT, dict(walk.results))
            inner.run()
            master = terminal.open_master("/dev/pts/ptmx")
            inner.results["terminal"] = slave = terminal.open_slave(master)
            Walk(list(devices.console(Ref(name="terminal"))), INIT, inner.results).run()
            return look(slave)

        return in_child(work)


def test_the_console_is_the_terminal(tmp_path: Path) -> None:
    """/dev/console is the very device, and ttyname(3) finds it."""
    found = with_console(
        make_spec(tmp_path, DEV),
        lambda slave: [os.stat("/dev/console").st_rdev == os.fstat(slave).st_rdev, os.ttyname(slave)],
    )
    assert found == [True, "/dev/pts/0"]


def test_the_console_of_a_readonly_root(tmp_path: Path) -> None:
    """/dev is a tmpfs of its own: the console can be made all the same."""
    spec = with_root(make_spec(tmp_path, DEV), readonly=True)
    assert with_console(spec, lambda slave: os.path.exists("/dev/console")) is True


def test_a_swapped_console_is_found_out(tmp_path: Path) -> None:
    """CVE-2025-52565: something else at its place is an error, not a console."""

    def look(slave: int) -> Any:
        root = path.open_directory("/")
        device.check_same(root, "/dev/null", slave)
        return "passed"

    with pytest.raises(AssertionError, match="is not the terminal"):
        with_console(make_spec(tmp_path, DEV), look)


def test_only_a_terminal_becomes_the_console(tmp_path: Path) -> None:
    """A file that somebody slipped in is refused."""
    with open(tmp_path / "file", "w") as file, pytest.raises(OSError, match="console"):
        device.pick_up_terminal(file.fileno())


def test_host_devices_are_devices() -> None:
    """For a privileged container: real nodes, no terminals, nothing twice."""
    found = devices.host_devices()
    assert len({each.path for each in found}) == len(found)
    assert not [each.path for each in found if each.path.startswith("/dev/pts/")]
    for each in found:
        status = os.stat(each.path)
        assert (os.major(status.st_rdev), os.minor(status.st_rdev)) == (each.major, each.minor)
