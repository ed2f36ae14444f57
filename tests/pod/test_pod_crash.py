"""What a pod does when something in it dies: an app, pause, a monitor, the supervisor, the machine."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from minirun.container.gc import gc
from minirun.pod import supervise
from minirun.values import replace
from tests.needs import needs
from tests.patience import PATIENCE, until
from tests.pod.living import FOREVER, Living, Pods, addresses, app, inode, pod, printed, server

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")


def kill(pid: int) -> None:
    """SIGKILL, which nobody can prepare for."""
    os.kill(pid, signal.SIGKILL)


def crashed(made: Living, name: str = "app") -> Living:
    """Kills a container's program, and waits until it runs again: the first restart is at once."""
    before = made.of(name).restartCount
    kill(made.pid(name))

    def runs_again() -> bool:
        status = made.of(name)
        return status.restartCount == before + 1 and bool(status.state.running) and made.pid(name) > 0

    until("it runs again", runs_again)
    return made


def test_an_app_is_restarted_where_it_was(pods: Pods) -> None:
    """At once, in the same namespaces, at the same address, with the files of its emptyDir."""
    mounts = [{"name": "kept", "mountPath": "/kept"}]
    made = pods.create(
        pod(
            "crash",
            app(f"echo run >>/kept/runs; {server('alive')}", volumeMounts=mounts),
            app(name="bystander"),
            volumes=[{"name": "kept", "emptyDir": {}}],
        )
    )
    spaces = [inode(made.pid(), kind) for kind in ("net", "ipc", "uts")]
    first, other, address = made.container(), made.pid("bystander"), made.address
    crashed(made)
    assert [inode(made.pid(), kind) for kind in ("net", "ipc", "uts")] == spaces
    assert (made.address, made.pid("bystander")) == (address, other)
    until("its program writes again", lambda: made.exec("cat", "/kept/runs") == "run\nrun\n")
    status = made.of()
    assert status.restartCount == 1 and status.state.running
    last = status.lastState.terminated
    assert last and (last.exitCode, last.reason) == (137, "Error")
    assert last.containerID.endswith(first.id)
    assert made.phase == "Running"
    assert made.of("bystander").restartCount == 0


def test_backoff_after_the_first_restart(pods: Pods) -> None:
    """CrashLoopBackOff: ten seconds from the second exit on, and somebody waits for them."""
    made = pods.create(pod("loop", app("echo once; exit 1"), app(name="other")))
    until("it backs off", lambda: made.waits() == "CrashLoopBackOff")
    run = made.run()
    assert (run.restarts, made.of().restartCount) == (1, 1)
    assert run.ended and made.decision.look_again_at == pytest.approx(run.ended.finishedAt + 10, abs=0.01)
    until("somebody waits for that", lambda: len(made.supervisors()) == 1)
    assert made.phase == "Running" and made.condition("Ready") == "False"
    row = pods.minirun("pod", "ps").stdout.splitlines()[1].split()
    assert row[1:3] == ["1/2", "CrashLoopBackOff"]


def test_the_log_before_the_crash_is_kept(pods: Pods) -> None:
    """--previous shows the run before, and that alone; the container of the one before that is gone."""
    made = pods.create(pod("log", app("echo run $(cat /proc/uptime); " + FOREVER)))
    first = made.container()
    until("it has spoken", lambda: len(made.log()) == 1)
    said = printed(first)
    crashed(made)
    assert made("logs", "--previous").splitlines() == said
    until("it has spoken", lambda: len(made.log()) == 1)
    second = made.container()
    assert second.id != first.id and first.exists()


def test_never_means_never(pods: Pods) -> None:
    """An app of a pod that restarts nothing stays dead, and the other goes on."""
    made = pods.create(pod("never", app(), app(name="other"), restartPolicy="Never"))
    kill(made.pid())
    until("its end is seen", lambda: made.ended() is not None)
    assert (made.ended().exitCode, made.ended().signal) == (137, 9)
    assert made.state("other").running and made.phase == "Running"
    assert not made.decision.needs_supervisor


def test_pause_dies_and_all_is_made_anew(pods: Pods) -> None:
    """Everything stops, the address goes back; init containers run again, in a new sandbox."""
    made = pods.create(
        pod(
            "phoenix",
            app(server("up")),
            initContainers=[
                app("true", "init"),
                app(FOREVER, "sidecar", restartPolicy="Always"),
            ],
        )
    )
    until("it runs", lambda: made.phase == "Running")
    old, asleep, space = made.sandbox, made.pause, inode(made.pause, "net")
    members = [made.pid("app"), made.pid("sidecar")]
    kill(asleep)
    until("it is there again", lambda: made.sandbox.id != old.id and made.pid("app") > 0)
    until("it runs", lambda: made.phase == "Running")
    assert not any(os.path.exists(f"/proc/{pid}") for pid in (asleep, *members))
    assert inode(made.pause, "net") != space or made.pause != asleep
    assert not old.exists()
    assert sorted(addresses(pods.store)) == sorted(each.ip for each in made.status.podIPs)
    assert made.seen.sandbox and made.seen.sandbox.attempt == 1
    assert [made.of(name).restartCount for name in ("init", "sidecar", "app")] == [1, 1, 1]


def test_pause_dies_for_good(pods: Pods) -> None:
    """With restartPolicy Never the pod is Failed, and its address is free."""
    made = pods.create(pod("mortal", app(), app("true", "done"), restartPolicy="Never"))
    until("one is done", lambda: made.ended("done") is not None)
    kill(made.pause)
    until("it is over", lambda: made.is_over)
    assert (made.phase, made.status.reason) == ("Failed", "SandboxDied")
    assert not addresses(pods.store)
    until("nobody looks after it", lambda: not made.supervisors())


def test_a_monitor_is_killed(pods: Pods) -> None:
    """Nobody saw how its program ended: gc ends it, records that, and the pod goes on by its policy."""
    made = pods.create(pod("watched", app(), app(name="other")))
    running = made.container().running()
    assert running
    kill(running.monitor)
    said = pods.minirun("gc", check=True).stdout
    assert "its monitor died" in said and "resumed the pod watched" in said
    until("it runs again", lambda: made.of().restartCount == 1 and made.pid() > 0)
    last = made.of().lastState.terminated
    assert last and (last.exitCode, last.reason) == (255, "ContainerStatusUnknown")
    assert made.of("other").restartCount == 0


def test_a_monitor_and_its_program_are_killed(pods: Pods) -> None:
    """Any command on the pod finds out, without gc."""
    made = pods.create(pod("lonely", app()))
    running = made.container().running()
    assert running
    kill(running.monitor)
    kill(running.pid)
    pods.minirun("pod", "ps", check=True)
    until("it runs again", lambda: made.of().restartCount == 1 and made.pid() > 0)


def test_the_supervisor_is_killed(pods: Pods) -> None:
    """While it waits for a backoff: any command resumes the pod, and no restart is counted twice."""
    made = pods.create(pod("orphan", app("exit 1")))
    until("it backs off", lambda: made.waits() == "CrashLoopBackOff" and bool(made.supervisors()))
    kill(made.supervisors()[0])
    until("it is dead", lambda: not made.supervisors())
    progress = made.home.progress()
    run = replace(progress.seen.of("app"), streak=9)  # so that the backoff outlasts the test on any machine
    made.home.write_progress(replace(progress, seen=replace(progress.seen, containers={"app": run})))
    supervise.resume(made.home)
    until("there is another", lambda: len(made.supervisors()) == 1)
    before = made.seen
    for number in range(3):
        for pid in made.supervisors():
            kill(pid)
        until("it is dead", lambda: not made.supervisors())
        if number % 2:
            assert pods.swept() == ["resumed the pod orphan: nobody looked after it"]
        else:
            pods.minirun("pod", "ps", check=True)
        until("there is another", lambda: len(made.supervisors()) == 1)
        assert made.seen == before
    assert pods.swept() == []


def test_a_supervisor_that_is_killed_again_and_again(pods: Pods) -> None:
    """At whatever moment: in the end every container runs, once."""
    made = pods.create(pod("hunted", app(), app(name="web"), app(name="db")))
    for name in ("app", "web", "db"):
        kill(made.pid(name))
    killed = 0
    began = time.monotonic()
    while killed < 5 and time.monotonic() < began + (1.5 if killed else PATIENCE):
        for pid in made.supervisors():
            try:
                kill(pid)
                killed += 1
            except ProcessLookupError:
                continue
    assert killed
    gc(pods.store)
    pods.swept()
    until("all run", lambda: all(made.pid(name) for name in ("app", "web", "db")))
    assert [made.of(name).restartCount for name in ("app", "web", "db")] == [1, 1, 1]
    homes = list(Path(pods.store.root).glob("containers/*"))
    assert len(homes) == 1 + 3 + 3  # pause, three that run, three that ended


def test_the_machine_is_restarted(pods: Pods) -> None:
    """STATE is gone, and every process: the pod is made anew, with the files of its emptyDir."""
    mounts = [{"name": "kept", "mountPath": "/kept"}, {"name": "fast", "mountPath": "/fast"}]
    made = pods.create(
        pod(
            "boot",
            app("echo run >>/kept/runs; echo run >>/fast/runs; " + FOREVER, volumeMounts=mounts),
            app(name="web"),
            volumes=[
                {"name": "kept", "emptyDir": {}},
                {"name": "fast", "emptyDir": {"medium": "Memory"}},
            ],
        )
    )
    until("it runs", lambda: made.exec("cat", "/kept/runs") == "run\n")
    reboot(pods, made)
    pods.minirun("pod", "ps", check=True)
    until("it runs again", lambda: made.phase == "Running" and made.pid("app") > 0 and made.pid("web") > 0)
    until("it has begun", lambda: made.exec("cat", "/kept/runs") == "run\nrun\n")
    assert made.exec("cat", "/fast/runs") == "run\n"
    assert made.seen.sandbox and made.seen.sandbox.attempt == 1
    assert made.address in addresses(pods.store)


def reboot(pods: Pods, made: Living) -> None:
    """What a power cut does: no process is left, no mount, no cgroup, nothing below STATE."""
    from minirun.pod.volumes import sweep as unmount

    homes = [made.sandbox, made.container("app"), made.container("web")]
    states = [home.running() for home in homes]
    for state in states:
        assert state
        kill(state.monitor)
    for state in states:
        assert state
        kill(state.pid) if os.path.exists(f"/proc/{state.pid}") else None
    until("all are dead", lambda: not any(home.live_pid() for home in homes))
    unmount(f"{made.home.runtime}/volumes", f"{made.home.runtime}/subpaths")
    for home in homes:
        for group in home.record().cgroups:
            until("its cgroup is empty", lambda group=group: not os.path.exists(group) or removed(group))
    shutil.rmtree(f"{pods.store.state}/pods")
    shutil.rmtree(f"{pods.store.state}/containers")
    for address in Path(pods.store.state).glob("networks/*/addresses/[0-9a-f]*"):
        address.unlink()


def removed(group: str) -> bool:
    """Whether the cgroup could be removed."""
    try:
        os.rmdir(group)
    except OSError:
        return False
    return True


def test_what_a_user_removes_is_made_again(pods: Pods) -> None:
    """`minirun rm -f` of a member is a crash like any other."""
    made = pods.create(pod("robbed", app(), app(name="other")))
    pods.minirun("rm", "-f", made.container().id, check=True)
    until("it runs again", lambda: made.of().restartCount == 1 and made.pid() > 0)
    assert made.of("other").restartCount == 0
    until("nobody looks after it", lambda: not made.supervisors())
    assert supervise.resume(made.home) is False
