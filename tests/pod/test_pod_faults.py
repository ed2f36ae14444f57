"""SIGKILL at every step and every deed: with `minirun gc` at most, nothing is left, or nothing is lost.

Killed are: who creates a pod, who stops it, who removes it, who restarts an app,
who makes the sandbox anew. The moments are found out by doing it once undisturbed;
see interrupted.py. And fifty at once.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from minirun.container.gc import gc
from minirun.linux import process
from minirun.pod import create, remove, state, supervise
from minirun.pod import gc as pod_gc
from minirun.pod.locks import PodLock, close_mine
from minirun.pod.manifest.read import read
from minirun.pod.supervisor import Supervisor
from minirun.values import replace
from tests import leaks
from tests.needs import needs
from tests.patience import PATIENCE, until
from tests.pod.interrupted import Cut, cut_off
from tests.pod.living import FOREVER, Living, Pods, addresses, app, pod, traces

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

#: Below the range that the kernel takes ports from for whoever asks for any (ip_local_port_range).
PORT = 18_747
#: One of everything that can be left: a port, a mount of the pod's, a user's files, all kinds of containers.
WHOLE = pod(
    "whole",
    app(
        ports=[{"containerPort": 80, "hostPort": PORT}],
        volumeMounts=[
            {"name": "fast", "mountPath": "/fast"},
            {"name": "kept", "mountPath": "/kept", "subPath": "part"},
        ],
    ),
    initContainers=[app("true", "init"), app(FOREVER, "sidecar", restartPolicy="Always")],
    volumes=[{"name": "fast", "emptyDir": {"medium": "Memory"}}, {"name": "kept", "emptyDir": {}}],
)


def made_of(pods: Pods, manifest: dict[str, Any]) -> Callable[[], object]:
    """What `pod create` does, in this process."""
    found = read(json.dumps(manifest), "test").pods[0]
    return lambda: create.create(pods.store, found)


def swept(pods: Pods) -> list[str]:
    """`minirun gc`, once."""
    return [*gc(pods.store), *pods.swept()]


@pytest.fixture
def clean(pods: Pods) -> Iterator[Callable[[], set[str]]]:
    """What is left beyond what there was at first, waiting for the kernel to take namespaces apart."""
    pods.create(pod("first", app()))("rm", "-f")
    places = (str(pods.minirun.root.parent),)
    before = traces(pods.store) | leaks.links(places) | leaks.mounts(places)

    def left() -> set[str]:
        def more() -> set[str]:
            found = traces(pods.store) | leaks.links(places) | leaks.mounts(places)
            return found - before

        return leaks.wait_for(more, PATIENCE)

    yield left


def is_telling(door: str) -> bool:
    """All of the bookkeeping; of the plans' steps one in three: each was cut off in tests/lifecycle too."""
    return door.startswith("books: ") or sum(door.encode()) % 3 == 0


def each_moment(work: Callable[[], object], after: Callable[[Cut], list[str]]) -> None:
    """Cuts ``work`` off at each door, until it comes through all; ``after`` says what is wrong then."""
    wrong: list[str] = []
    for number in itertools.count(1):
        cut = cut_off(work, number, is_telling)
        wrong += [f"{number} ({cut.where}; exit code {cut.code}): {each} {cut.said}" for each in after(cut)]
        if wrong or not cut.where:
            break
    assert not wrong, "\n".join(wrong)
    assert number > 5 and cut.code == 0  # it was cut off at several, and came through in the end


@pytest.mark.slow
def test_the_creator_is_killed(pods: Pods, clean: Callable[[], set[str]]) -> None:
    """Before it has said that the pod is there: nothing is left. After that: it goes on without."""
    work = made_of(pods, WHOLE)

    def after(cut: Cut) -> list[str]:
        said = swept(pods)
        try:
            there = pods.find("whole")
        except Exception:
            left = clean()
            return [f"left {sorted(left)}; gc said {said}"] if left else []
        until("it runs", lambda: there.phase == "Running")
        there("rm", "-f")
        left = clean()
        late = any(word in cut.where for word in ("spawn", "share")) or not cut.where
        return [f"left {sorted(left)}"] * bool(left) + ["it lives on"] * (not late)

    each_moment(work, after)


@pytest.mark.slow
def test_who_removes_it_is_killed(pods: Pods, clean: Callable[[], set[str]]) -> None:
    """`rm -f`, cut off: gone after gc, or ended, and the next one removes it."""

    def work() -> None:
        remove.remove(pods.find("whole").home, force=True)

    make = made_of(pods, WHOLE)

    def again() -> None:
        assert cut_off(make).code == 0
        until("it runs", lambda: pods.find("whole").phase == "Running")

    again()

    def after(cut: Cut) -> list[str]:
        said = swept(pods)
        try:
            there = pods.find("whole")
        except Exception:
            left = clean()
            again()
            return [f"left {sorted(left)}; gc said {said}"] if left else []
        if there.seen.deletion or there.home.has_wishes():
            until("it ends", lambda: there.is_over)
            there("rm")
            left = clean()
            again()
            return [f"left {sorted(left)} after rm"] if left else []
        return [] if there.phase == "Running" else [f"neither runs nor ends: {there.seen}"]

    each_moment(work, after)


@pytest.mark.slow
def test_who_stops_it_is_killed(pods: Pods) -> None:
    """At each deed of a stop: it is not begun, or gc has it go on, to the same end."""
    made = pods.create(
        pod("stopping", app(), initContainers=[app(FOREVER, "sidecar", restartPolicy="Always")])
    )
    until("it runs", lambda: made.phase == "Running")

    def after(cut: Cut) -> list[str]:
        swept(pods)
        if not (made.seen.deletion or made.seen.phase or made.home.has_wishes()):
            return is_settled(made)
        until("it is over", lambda: made.is_over)
        wrong = [f"phase {made.phase}: {made.seen}"] if made.phase != "Succeeded" else []
        wrong += [f"addresses {addresses(pods.store)}"] if addresses(pods.store) else []
        until("it is left alone", lambda: not made.supervisors())
        assert cut_off(lambda: remove.start(made.home)).code == 0
        return wrong + is_settled(made)

    each_moment(lambda: remove.stop(made.home), after)


@pytest.mark.slow
def test_who_restarts_an_app_is_killed(pods: Pods) -> None:
    """A supervisor, at each deed: the next one makes one restart of it, and one container."""
    made = pods.create(pod("restart", app(), app(name="other")))
    other = made.pid("other")

    def crash() -> None:
        running = made.container().running()
        assert running, f"{made.seen}\n{made.events}\n{made.container().data}"
        for pid in (running.monitor, running.pid):  # so nobody is told
            os.kill(pid, signal.SIGKILL)
        until("it is dead", lambda: not made.pid())
        forget_restarts(made)

    def work() -> None:
        supervise.tend(made.home)

    restarts = [0]

    def after(cut: Cut) -> list[str]:
        swept(pods)
        wrong = is_settled(made)
        restarts[0] += 1
        if made.of().restartCount != restarts[0]:
            wrong.append(f"{made.of().restartCount} restarts")
        if made.pid("other") != other or made.of("other").restartCount:
            wrong.append("the other was restarted")
        if len(pods.store.ids()) != 4:  # pause, the other, the run, and the one before
            wrong.append(f"{len(pods.store.ids())} containers")
        if not wrong:
            crash()
        return wrong

    crash()
    each_moment(work, after)


def is_settled(made: Living) -> list[str]:
    """What is wrong with a pod that shall run, each container of it, with nobody behind it."""

    def what() -> set[str]:
        seen = made.seen
        if made.phase != "Running" or not made.pause or made.decision.needs_supervisor:
            return {f"it does not run: {seen} {made.events[-5:]}"}
        if not all(run.state == "running" and made.pid(name) for name, run in seen.containers.items()):
            return {f"something of it does not run: {seen}"}
        pods_words = f"{sys.executable} -I -c import sys; sys.path.insert(0, sys.argv[1]); from minirun.pod"
        at_work = [pid for pid in leaks.pids() if words_of(pid, made).startswith(pods_words)]
        return {f"{pid} looks after it" for pid in at_work}

    # Each look is another set: what counts is whether there is one that is empty.
    return sorted(what()) if leaks.wait_for(lambda: {"it is not"} if what() else set(), PATIENCE) else []


def forget_restarts(made: Living) -> None:
    """As if it had run well for long: the next restart is at once again."""
    seen = made.home.progress().seen
    sandbox = replace(seen.sandbox, streak=0) if seen.sandbox else None
    containers = {name: replace(run, streak=0) for name, run in seen.containers.items()}
    seen = replace(seen, sandbox=sandbox, containers=containers)
    made.home.write_progress(replace(made.home.progress(), seen=seen))


@pytest.mark.slow
def test_who_makes_the_sandbox_anew_is_killed(pods: Pods) -> None:
    """Pause is dead, and so is who would make another: the next one does."""
    made = pods.create(pod("anew", app()))

    def crash() -> None:
        for home in (made.sandbox, made.container()):
            running = home.running()
            assert running, f"{made.seen}\n{made.events}\n{home.data}"
            for pid in (running.monitor, running.pid):
                if os.path.exists(f"/proc/{pid}"):
                    os.kill(pid, signal.SIGKILL)
        until("all are dead", lambda: not made.pause and not made.pid())
        forget_restarts(made)

    def work() -> None:
        supervise.tend(made.home)

    def after(cut: Cut) -> list[str]:
        swept(pods)
        wrong = is_settled(made)
        if len(pods.store.ids()) != 3:  # pause, the run, and the one before
            wrong.append(f"{len(pods.store.ids())} containers")
        if addresses(pods.store) != sorted(each.ip for each in made.status.podIPs):
            wrong.append(f"addresses {addresses(pods.store)}")
        if not wrong:
            crash()
        return wrong

    crash()
    each_moment(work, after)


def test_gc_sweeps_what_hangs_on_no_pod(pods: Pods, clean: Callable[[], set[str]]) -> None:
    """Names, directories, a member, a mount, of pods that are not."""
    made = pods.create(
        pod(
            "lost",
            app(volumeMounts=[{"name": "fast", "mountPath": "/fast"}]),
            volumes=[{"name": "fast", "emptyDir": {"medium": "Memory"}}],
        )
    )
    uid = made.home.uid
    os.unlink(f"{made.home.data}/pod.json")  # as if somebody had tidied up
    os.symlink("11111111-2222-3333-4444-555555555555", f"{pods.store.root}/pods/names/nobody")
    os.mkdir(f"{pods.store.state}/pods/22222222-2222-3333-4444-555555555555")
    said = swept(pods)
    assert "released the name nobody of a pod" in said
    assert f"removed the pod {uid}: its creation or removal was cut off" in said
    assert clean() == set()
    assert swept(pods) == []


def test_gc_leaves_alone_what_is_at_work(pods: Pods) -> None:
    """A creation under way, and pods that are well."""
    made = pods.create(pod("well", app()))
    new = state.Pods(store=pods.store).home("33333333-2222-3333-4444-555555555555")
    lock = PodLock(new, "supervisor.lock")
    assert lock.acquire(wait=True, make=True)
    os.mkdir(new.data)
    new.write_pending(replace(made.home.record(), cgroup=f"/minirun/kubepods/besteffort/pod{new.uid}"))
    supervisor = Supervisor(new)  # it listens
    try:
        assert swept(pods) == []
        assert os.path.isdir(new.data)
    finally:
        close_mine(supervisor.socket.detach())
        lock.release()
    assert made.phase == "Running"
    assert swept(pods) == [f"removed the pod {new.uid}: its creation or removal was cut off"]


def test_gc_waits_for_the_newborn_of_a_killed_creator(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it has run for the first time, a forked child has the creator's lock and its ear."""
    made = pods.create(pod("well", app()))
    new = state.Pods(store=pods.store).home("44444444-2222-3333-4444-555555555555")
    living, dies = os.pipe()

    def creator() -> None:
        os.close(dies)
        lock = PodLock(new, "supervisor.lock")
        lock.acquire(wait=True, make=True)
        os.mkdir(new.data)
        new.write_pending(replace(made.home.record(), cgroup=f"/minirun/kubepods/besteffort/pod{new.uid}"))
        held = os.dup(lock.fd), os.dup(Supervisor(new).socket.fileno())  # what fork's hooks do not know of
        if os.fork() == 0:
            os.read(living, 1)
        os._exit(len(held) - 2)

    def newborn_goes(seconds: float) -> None:
        nonlocal dies
        if dies >= 0:
            os.close(dies)
            dies = -1
        time.sleep(seconds)  # what gc does between two looks

    pid = process.fork(creator)
    os.close(living)
    assert os.waitpid(pid, 0)[1] == 0
    monkeypatch.setattr(pod_gc, "time", SimpleNamespace(sleep=newborn_goes, monotonic=time.monotonic))
    said = pod_gc.sweep(pods.store)
    if dies >= 0:
        os.close(dies)
    assert said == [f"removed the pod {new.uid}: its creation or removal was cut off"]
    assert made.phase == "Running"


@pytest.mark.slow
def test_fifty_at_once(pods: Pods, clean: Callable[[], set[str]]) -> None:
    """Fifty commands create a pod of two each, at once; fifty remove them: nothing is left."""
    count = 50
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    making = []
    for number in range(count):
        one = pods.minirun.popen("pod", "create", "-", stdin=subprocess.PIPE, **quiet)
        one.stdin.write(json.dumps(pod(f"many-{number}", app(), app(name="web"))))
        one.stdin.close()
        one.stdin = None
        making.append(one)
    said = [one.communicate(timeout=100)[0] for one in making]
    assert [one.returncode for one in making] == [0] * count, "\n".join(said)
    living = [pods.find(f"many-{number}") for number in range(count)]
    until("all run", lambda: all(each.phase == "Running" for each in living))
    assert len({each.address for each in living}) == count
    removing = [pods.minirun.popen("pod", "rm", "-f", each.name, **quiet) for each in living]
    said = [one.communicate(timeout=100)[0] for one in removing]
    assert [one.returncode for one in removing] == [0] * count, "\n".join(said)
    assert clean() == set()
    until("no process is left", lambda: not any(words_of(pid, pods) for pid in leaks.pids()))
    assert swept(pods) == []


def words_of(pid: str, ours: Living | Pods) -> str:
    """The words of a process that the tests' minirun has started; "" for others."""
    words = leaks.words(pid)
    return words if str(ours.minirun.state) in words and str(os.getpid()) != pid else ""
