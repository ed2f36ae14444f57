"""gc: what a killed monitor, a reboot or a crash leaves is swept, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.container.state import Exit, Home, Store
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.linux import cgroup
from minirun.values import replace
from tests import leaks
from tests.conftest import Minirun
from tests.lifecycle import attempts
from tests.lifecycle.test_faults import marks, store  # noqa: F401  (fixtures)
from tests.needs import needs

pytestmark = [needs("root", "overlay", "pids"), pytest.mark.bed, pytest.mark.slow]


def start(minirun: Minirun, *flags: str, command: tuple[str, ...] = ("sleep", "1000")) -> None:
    """A detached container called ``c0``."""
    minirun("run", "-d", "--name", "c0", "--network", "none", *flags, "busybox", *command, check=True)


def state(minirun: Minirun, name: str = "c0") -> dict[str, object]:
    """What ``inspect`` says of its state."""
    found = json.loads(minirun("inspect", name, check=True).stdout)
    return dict((found[0] if isinstance(found, list) else found)["state"])


def kill_monitor(home: Home) -> None:
    """SIGKILL, and wait until it is dead."""
    running = home.running()
    assert running
    pidfd = os.pidfd_open(running.monitor)
    os.kill(running.monitor, signal.SIGKILL)
    leaks.wait_for(lambda: set() if is_dead(pidfd) else {"monitor"})
    os.close(pidfd)


def is_dead(pidfd: int) -> bool:
    """A pidfd is readable once its process has ended (pidfd_open(2))."""
    import select

    return bool(select.select([pidfd], [], [], 0)[0])


def cgroups_left(home: Home) -> list[str]:
    """Its cgroups that are still there."""
    return [place for place in attempts.cgroups_of(home.id) if os.path.isdir(place)]


def test_what_runs_is_left_alone(minirun: Minirun, store: Store) -> None:
    """Running, paused, created, ended: whoever has somebody behind it, or needs nobody."""
    start(minirun)
    minirun("run", "-d", "--name", "paused", "--network", "none", "busybox", "sleep", "1000", check=True)
    minirun("pause", "paused", check=True)
    minirun("create", "--name", "created", "--network", "none", "busybox", "true", check=True)
    minirun("run", "--name", "ended", "--network", "none", "busybox", "sh", "-c", "exit 3")
    before = {name: state(minirun, name) for name in ("c0", "paused", "created", "ended")}
    done = minirun("gc", check=True)
    assert done.stdout == ""
    assert {name: state(minirun, name) for name in before} == before


def test_the_monitor_of_a_running_container_is_killed(minirun: Minirun, store: Store) -> None:
    """gc ends the processes and records that the exit code is unknown; the container can be started."""
    start(minirun)
    home = store.find("c0")
    pid = home.live_pid()
    kill_monitor(home)
    assert home.live_pid() == pid, "the container dies with its monitor"
    assert "its monitor died" in minirun("gc", check=True).stdout
    assert home.live_pid() == 0
    assert cgroups_left(home) == []
    assert state(minirun)["status"] == "stopped"
    assert minirun("wait", "c0").stdout.strip() == "255"
    assert minirun("gc").stdout == ""
    minirun("start", "c0", check=True)
    assert state(minirun)["status"] == "running"


def test_the_monitor_of_a_container_with_rm_is_killed(minirun: Minirun, store: Store) -> None:
    """It goes, with its volumes."""
    clean = attempts.traces(store)
    start(minirun, "--rm", "-v", "/scratch", "--userns", "private")
    home = store.find("c0")
    kill_monitor(home)
    assert "was run with --rm" in minirun("gc", check=True).stdout
    assert attempts.traces(store) - clean == set()
    assert cgroups_left(home) == []


def test_the_monitor_of_a_created_container_is_killed(minirun: Minirun, store: Store) -> None:
    """[init] at the gate sees it by itself and ends; gc does the rest."""
    minirun("create", "--name", "c0", "--network", "none", "busybox", "true", check=True)
    home = store.find("c0")
    pidfd = os.pidfd_open(home.live_pid())
    kill_monitor(home)
    assert not leaks.wait_for(lambda: set() if is_dead(pidfd) else {"[init]"})
    os.close(pidfd)
    minirun("gc", check=True)
    assert cgroups_left(home) == []
    assert home.exit() is not None
    minirun("rm", "c0", check=True)


def test_the_monitor_is_killed_before_it_records_the_exit(minirun: Minirun, store: Store) -> None:
    """The program ends while the monitor is stopped, which is killed then."""
    start(minirun)
    home = store.find("c0")
    die_unseen(home)
    assert minirun("gc", check=True).stdout
    assert home.exit() == replace(home.exit() or Exit(exitCode=0), exitCode=255)
    assert cgroups_left(home) == []


def test_the_monitor_is_killed_between_the_record_and_what_follows(
    minirun: Minirun,
    store: Store,
) -> None:
    """The exit stands, and counts; what is left is the cgroups, and with --rm all the rest."""
    for flags in ((), ("--rm",)):
        start(minirun, *flags)
        home = store.find("c0")
        die_unseen(home)
        home.write_exit(Exit(exitCode=7))  # as the monitor does, before it removes the cgroups
        assert cgroups_left(home)
        minirun("gc", check=True)
        assert cgroups_left(home) == []
        if flags:
            assert store.ids() == []
        else:
            assert minirun("wait", "c0").stdout.strip() == "7"
            minirun("rm", "c0", check=True)


def die_unseen(home: Home) -> None:
    """Kills the container's first process, then its monitor, which sees nothing of it."""
    running = home.running()
    assert running
    os.kill(running.monitor, signal.SIGSTOP)
    pidfd = os.pidfd_open(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    leaks.wait_for(lambda: set() if is_dead(pidfd) else {"the program"})
    os.close(pidfd)
    kill_monitor(home)


def test_after_a_reboot(minirun: Minirun, store: Store) -> None:
    """/run is empty then: what had ended is as before, what ran has ended, --rm is removed."""
    minirun("run", "--name", "ended", "--network", "none", "busybox", "sh", "-c", "echo once more; exit 3")
    start(minirun)
    minirun(
        "run", "-d", "--rm", "--name", "brief", "--network", "none", "busybox", "sleep", "1000", check=True
    )
    for name in ("c0", "brief"):
        die_unseen(store.find(name))
        cgroups.remove(store.find(name).record().cgroups)
    shutil.rmtree(f"{store.state}/containers")
    assert {row["names"]: row["state"] for row in rows(minirun)} == {
        "ended": "stopped",
        "c0": "stopped",
        "brief": "stopped",
    }
    minirun("gc", check=True)
    assert {row["names"] for row in rows(minirun)} == {"ended", "c0"}
    assert store.find("ended").exit() and minirun("wait", "ended").stdout.strip() == "3"
    assert minirun("start", "-a", "ended").stdout == "once more\n"
    minirun("start", "c0", check=True)
    assert state(minirun)["status"] == "running"


def rows(minirun: Minirun) -> list[dict[str, str]]:
    """``ps -a`` for programs."""
    text = minirun("ps", "-a", "--format", "json", check=True).stdout.strip()
    try:
        found = json.loads(text)
    except ValueError:
        found = [json.loads(line) for line in text.splitlines()]
    return list(found)


def test_what_nobody_holds(minirun: Minirun, store: Store) -> None:
    """Names, ids, halves of containers, half-made layers, filters of another version."""
    minirun("run", "--rm", "--network", "none", "--userns", "private", "busybox", "true", check=True)
    clean = attempts.traces(store)
    gone = "0" * 64
    os.symlink(gone, f"{store.root}/names/nobody")
    os.symlink(gone, f"{store.root}/ids/65536")
    os.mkdir(store.container("1" * 64).data)
    os.makedirs(store.container("2" * 64).runtime)
    Path(store.container("1" * 64).data, "pending.json.new").write_text("{")
    os.makedirs(f"{store.root}/layers/.tmp-abc/rootfs")
    for name in ("default-0-x86_64", ".default-1.999999999"):
        Path(store.root, "seccomp", name).write_text("")
    done = minirun("gc", check=True).stdout
    assert done.count("\n") == 7
    assert attempts.traces(store) == clean
    assert not os.path.exists(f"{store.root}/layers/.tmp-abc")
    assert minirun("gc").stdout == ""


def test_a_stale_name_is_free(minirun: Minirun, store: Store) -> None:
    """Also without gc: whoever wants it sees that nobody is behind it."""
    os.makedirs(f"{store.root}/names", exist_ok=True)
    os.symlink("0" * 64, f"{store.root}/names/c0")
    start(minirun)
    assert store.find("c0").record().name == "c0"


def test_a_damaged_record(minirun: Minirun, store: Store) -> None:
    """It does not keep gc from the others, and rm -f removes it with its processes."""
    clean = attempts.traces(store)
    start(minirun)
    home = store.find("c0")
    Path(home.data, "container.json").write_text('{"id": ')
    os.symlink("0" * 64, f"{store.root}/names/nobody")
    done = minirun("gc")
    assert "released the name nobody" in done.stdout
    assert "cannot sweep the images" in done.stdout  # whose layers it has is not to be read
    assert done.returncode == 125
    assert "is damaged" in minirun("rm", "c0").stderr
    minirun("rm", "-f", "c0", check=True)
    assert attempts.traces(store) - clean == set()
    assert cgroups_left(home) == []


@pytest.fixture
def above() -> Iterator[str]:
    """A group of the test's own in each tree, for a ``minirun`` that nobody else uses."""
    name = f"minirun-test-{os.getpid()}"
    yield f"/{name}/minirun"
    for tree in trees():
        for place in (f"{tree}/{name}/minirun", f"{tree}/{name}"):
            if os.path.isdir(place):
                os.rmdir(place)


def trees() -> list[str]:
    """Where cgroups are mounted."""
    where = layout()
    return sorted({where.v2, *where.v1.values()} - {""})


def test_the_shared_cgroup_goes_with_the_last_container(
    minirun: Minirun,
    store: Store,
    above: str,
) -> None:
    """It is there as long as one container is, and comes again with the next."""
    for name in ("one", "two"):
        minirun(
            "run",
            "--name",
            name,
            "--network",
            "none",
            "--cgroup-parent",
            above,
            "busybox",
            "true",
            check=True,
        )
    minirun("rm", "one", check=True)
    start(minirun, "--cgroup-parent", above)
    minirun("rm", "two", check=True)
    shared = [tree + above for tree in trees() if os.path.isdir(tree + above)]
    assert shared
    minirun("rm", "-f", "c0", check=True)
    assert not [place for place in shared if os.path.isdir(place)]


def test_the_shared_cgroup_goes_while_a_container_is_made(
    store: Store,
    above: str,
    marks: Path,
) -> None:
    """Somebody else's last container ends between the look at it and the use of it."""
    options = replace(attempts.plain(marks), rm=True, cgroup_parent=above)
    for tree in trees():
        os.makedirs(tree + above)
    plan = attempts.plan_of(store, options)
    making = [number for number, step in enumerate(plan, 1) if step.title.startswith("make the cgroup")]
    assert making
    for number in making:
        for tree in trees():
            os.makedirs(tree + above, exist_ok=True)
        done: list[bool] = []

        def fault(at: int, moment: str, number: int = number, done: list[bool] = done) -> None:
            if (at, moment) == (number, "before") and not done:
                cgroups.remove_parents([f"{tree}{above}/any" for tree in trees()])
                done.append(True)

        assert attempts.finished(lambda: attempts.as_the_command(store, options, fault)).code == 0


def test_nothing_of_a_group_is_left_on_the_machine(minirun: Minirun) -> None:
    """After the last container, whoever's it was: no empty ``minirun`` in any tree."""
    minirun("run", "--rm", "--network", "none", "--cpuset-cpus", "0", "busybox", "true", check=True)

    def empty() -> set[str]:
        places = [f"{tree}/minirun" for tree in trees()]
        return {place for place in places if os.path.isdir(place) and not cgroup.children(place)}

    assert not leaks.wait_for(empty)
