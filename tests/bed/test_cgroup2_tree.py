"""The one tree of cgroup v2: what is passed on in it, who may be where, and who may change it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.errors import Unsupported
from minirun.isolation import cgroups
from minirun.linux import cgroup
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.process import clone3
from minirun.spec import Memory
from tests.kernel.groups import HERE, MIB, Container, Groups, allocating, sleeping, until

pytestmark = pytest.mark.bed

TOP = Path(HERE.v2)


@pytest.fixture
def make() -> Iterator[Callable[..., Container]]:
    """Makes a group with some resources; removes it after the test."""
    with Groups() as groups:
        yield groups.make


@pytest.fixture
def occupied() -> Iterator[str]:
    """A group with a process in it, as the one of a login shell is; its path below the top."""
    place = TOP / f"minirun-test-{os.getpid()}"
    place.mkdir()
    pid = os.fork()
    if not pid:
        sleeping()
    (place / "cgroup.procs").write_text(str(pid))
    yield f"/{place.name}"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    cgroups.remove([str(place)])


def test_this_is_a_host_with_pure_v2() -> None:
    assert HERE.v2 == "/sys/fs/cgroup" and not HERE.v1
    assert {"cpuset", "cpu", "io", "memory", "pids", "hugetlb"} <= set(HERE.v2_controllers)


def test_what_is_used_is_passed_on_and_no_more(make: Callable[..., Container]) -> None:
    plain = make(below="/minirun/minirun-test-pass")
    above = plain.file("..")
    assert set((above / "cgroup.subtree_control").read_text().split()) == {"memory", "pids", "cpu"}
    assert set(plain.text("cgroup.controllers").split()) == {"memory", "pids", "cpu"}
    assert plain.text("cgroup.subtree_control") == ""
    make(below="/minirun/minirun-test-pass", unified={"hugetlb.2MB.max": "0"})
    assert "hugetlb" in (above / "cgroup.subtree_control").read_text().split()


def test_groups_made_on_the_way_go_with_the_last_container(make: Callable[..., Container]) -> None:
    below = "/minirun-test-made/a/b"
    one, two = make(below=below), make(below=below)
    one.remove()
    cgroups.remove_parents(one.directories)
    assert (TOP / below[1:]).is_dir(), "the other is still in it"
    two.remove()
    cgroups.remove_parents(two.directories)
    assert not (TOP / "minirun-test-made").exists()


def test_a_group_that_was_there_stays(make: Callable[..., Container]) -> None:
    """Whoever made it may have given it limits; it is not minirun's to remove."""
    place = TOP / "minirun-test-there"
    place.mkdir()
    container = make(below=f"/{place.name}/made")
    container.remove()
    cgroups.remove_parents(container.directories)
    assert os.listdir(place) and not (place / "made").exists()
    place.rmdir()


def test_a_limit_below_processes_is_refused_with_the_remedy(
    occupied: str, make: Callable[..., Container]
) -> None:
    with pytest.raises(Unsupported, match="memory controller") as refusal:
        make(below=occupied, memory=Memory(limit=24 * MIB))
    assert "processes" in refusal.value.why and "cgroup.procs" in refusal.value.remedy
    # The remedy helps.
    place = TOP / occupied[1:]
    (place / "init").mkdir()
    for pid in (place / "cgroup.procs").read_text().split():
        (place / "init" / "cgroup.procs").write_text(pid)
    container = make(below=occupied, memory=Memory(limit=24 * MIB, swap=24 * MIB))
    assert container.run(allocating) == -signal.SIGKILL


@pytest.mark.parametrize("deeper", ["", "/deeper"])
@pytest.mark.parametrize("leaf", ["", "leaf"])
def test_without_a_limit_a_container_lives_there_uncounted(
    occupied: str, make: Callable[..., Container], deeper: str, leaf: str
) -> None:
    container = make(below=occupied + deeper, leaf=leaf)
    assert container.text("cgroup.controllers") == ""
    assert container.run(lambda: 7) == 7
    pid = container.start(sleeping)
    until(lambda: cgroups.processes(container.directories) == [pid])
    assert cgroups.usage(container.spec, HERE).memory is None
    cgroups.freeze(container.directories)
    cgroups.kill(container.directories)


def test_below_processes_the_kernel_says_busy() -> None:
    """The kernel's own word for it, which the remedy of a late refusal explains."""
    place = TOP / "minirun-test-busy"
    place.mkdir()
    pid = os.fork()
    if not pid:
        sleeping()
    (place / "cgroup.procs").write_text(str(pid))
    with pytest.raises(OSError) as refusal:
        cgroup.write(f"{place}/cgroup.subtree_control", "+memory")
    assert refusal.value.errno == errno.EBUSY
    assert "no internal processes" in refusal.value.remedy
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    cgroups.remove([str(place)])


def test_a_threaded_group_is_no_place_for_a_container(make: Callable[..., Container]) -> None:
    place = TOP / "minirun-test-threaded"
    (place / "threads").mkdir(parents=True)
    (place / "threads" / "cgroup.type").write_text("threaded")
    assert (place / "cgroup.type").read_text().strip() == "domain threaded"
    for below in (f"/{place.name}/threads", f"/{place.name}", f"/{place.name}/new"):
        with pytest.raises(Unsupported, match="threaded"):
            make(below=below)
        with pytest.raises(Unsupported, match="threaded"):
            make(below=below, memory=Memory(limit=24 * MIB))
    cgroups.remove([str(place)])


def test_threads_inside_a_container_are_its_own(make: Callable[..., Container]) -> None:
    """A container may sort its threads into groups; killing and removing it still reaches all."""
    container = make()
    threads = container.file("threads")
    threads.mkdir()
    (threads / "cgroup.type").write_text("threaded")
    pid = container.start(sleeping)
    until(lambda: cgroups.processes(container.directories) == [pid])
    (threads / "cgroup.threads").write_text(str(pid))
    assert cgroups.processes(container.directories) == [pid]
    cgroups.freeze(container.directories)
    cgroups.kill(container.directories)
    assert container.wait(pid) == -signal.SIGKILL


def test_born_in_the_group(make: Callable[..., Container]) -> None:
    """CLONE_INTO_CGROUP: no write, and the first thing it counts is the birth."""
    container = make()
    into = cgroups.clone_into(container.spec, HERE)
    read, write = os.pipe()
    pid = clone3(CloneFlag(0), into)
    if not pid:
        os.write(write, Path("/proc/self/cgroup").read_bytes())
        os._exit(0)
    container.started.append(pid)
    assert container.wait(pid) == 0
    assert os.read(read, 256).decode() == f"0::{container.spec.linux.cgroupsPath}\n"
    os.close(read)
    os.close(write)


def test_freezing_is_seen_in_the_events(make: Callable[..., Container]) -> None:
    container = make(leaf="leaf")
    container.start(sleeping)
    until(lambda: "populated 1" in container.text("cgroup.events"))
    assert "frozen 0" in container.text("cgroup.events")
    cgroups.freeze(container.directories)
    assert "frozen 1" in container.text("cgroup.events")
    assert "frozen 1" in container.text("leaf/cgroup.events")
    cgroups.thaw(container.directories)
    assert "frozen 0" in container.text("cgroup.events")


def test_kill_reaches_who_left_the_session(make: Callable[..., Container]) -> None:
    def leave() -> int:
        for _ in range(2):
            if os.fork():
                return sleeping()
            os.setsid()
        return sleeping()

    container = make()
    container.start(leave)
    until(lambda: len(cgroups.processes(container.directories)) == 3)
    pids = cgroups.processes(container.directories)
    cgroups.kill(container.directories)
    assert "populated 0" in container.text("cgroup.events")
    until(lambda: not [pid for pid in pids[1:] if _lives(pid)])


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_group_can_be_given_to_a_user(make: Callable[..., Container]) -> None:
    """Delegation: below its own root it may do as it likes, and not beyond (cgroups(7))."""
    container = make(memory=Memory(limit=64 * MIB))
    for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
        os.chown(container.file(name), 1000, 1000)
    group = container.file("")

    def use() -> int:
        unshare(CloneFlag.NEWCGROUP)
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        seen = Path("/proc/self/cgroup").read_text()
        inner = group / "inner"
        inner.mkdir()
        (inner / "cgroup.procs").write_text("0")
        (group / "cgroup.subtree_control").write_text("+memory")
        (inner / "memory.max").write_text(str(8 * MIB))
        results = [seen == "0::/\n", Path("/proc/self/cgroup").read_text() == "0::/inner\n"]
        attempts = (
            lambda: (group / "memory.max").write_text("max"),
            lambda: (group.parent / "cgroup.procs").write_text("0"),
            lambda: (TOP / "cgroup.procs").write_text("0"),
            lambda: (group.parent / "new").mkdir(),
        )
        results += [_is_denied(attempt) for attempt in attempts]
        print(results, file=sys.stderr)  # pytest shows it if the test fails
        return 7 if all(results) else 1

    assert container.run(use) == 7
    assert container.text("memory.max") == str(64 * MIB)


def _is_denied(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT)
    return False


def test_a_namespace_is_a_boundary_even_for_root(make: Callable[..., Container]) -> None:
    """With systemd's mount option nsdelegate: its own limits are for those outside to set."""
    container = make(memory=Memory(limit=64 * MIB))
    other = make()
    subprocess.run(["mount", "-o", "remount,nsdelegate", TOP], check=True)

    def use() -> int:
        unshare(CloneFlag.NEWCGROUP)
        attempts = (
            lambda: container.file("memory.max").write_text("max"),
            lambda: other.file("cgroup.procs").write_text("0"),
        )
        results = [_is_denied(attempt) for attempt in attempts]
        container.file("inner").mkdir()
        container.file("inner/cgroup.procs").write_text("0")
        return 7 if all(results) else 1

    try:
        assert container.run(use) == 7
    finally:
        subprocess.run(["mount", "-o", "remount", TOP], check=True)
    assert container.text("memory.max") == str(64 * MIB)
