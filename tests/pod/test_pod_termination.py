"""How a pod ends: hooks, signals, grace, who goes last; deadlines; what a failed hook does."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Living, Pods, addresses, app, pod, printed

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

#: Where all containers write what happens to them; it outlives them.
SHARED = {
    "volumes": [{"name": "shared", "emptyDir": {}}],
}
MOUNT = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}


def telling(name: str, **fields: Any) -> dict[str, Any]:
    """A container that tells of its TERM, and then ends."""
    script = f"trap 'echo TERM {name} >>/shared/order; exit 0' TERM; echo up {name} >>/shared/order; "
    return app(script + "while :; do sleep 1000 & wait; done", name, **MOUNT, **fields)


def hook(script: str) -> dict[str, Any]:
    """An exec hook, which may tell too."""
    return {"exec": {"command": ["sh", "-c", script]}}


def order(made: Living) -> list[str]:
    """What has been told, in its order."""
    try:
        with open(f"{made.home.data}/volumes/shared/order") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def all_up(made: Living, count: int) -> None:
    until("all are up", lambda: sum(line.startswith("up ") for line in order(made)) == count)


def test_apps_first_then_sidecars_in_reverse(pods: Pods) -> None:
    """preStop, then TERM for the apps; then the sidecars, the one that was started last first."""
    made = pods.create(
        pod(
            "orderly",
            telling("web", lifecycle={"preStop": hook("echo preStop web >>/shared/order")}),
            telling("app"),
            initContainers=[
                telling("one", restartPolicy="Always"),
                telling("two", restartPolicy="Always"),
            ],
            **SHARED,
        )
    )
    all_up(made, 4)
    made("stop")
    told = [line for line in order(made) if not line.startswith("up ")]
    assert told.index("preStop web") < told.index("TERM web")
    assert {*told[:3]} == {"preStop web", "TERM web", "TERM app"}
    assert told[3:] == ["TERM two", "TERM one"]
    assert made.is_over and made.phase == "Succeeded"
    assert made.events[-1] == "PodSucceeded: The pod has succeeded"
    assert not addresses(pods.store)


def test_who_is_deaf_is_killed_when_the_grace_is_over(pods: Pods) -> None:
    """TERM, then KILL: exit code 137, and no earlier than two seconds behind the signal."""
    script = "trap '' TERM; echo up; while :; do sleep 1; done"
    made = pods.create(pod("deaf", app(script), terminationGracePeriodSeconds=1000))
    until("it is up", lambda: made.log() == ["up"])
    before = time.monotonic()
    made("stop", "--time", "1")  # it would be given up after 60 s
    assert time.monotonic() - before > 1.9
    assert (made.ended().exitCode, made.phase) == (137, "Failed")
    assert made.events[-1] == "PodFailed: The pod has failed"


def test_a_hook_spends_from_the_grace(pods: Pods) -> None:
    """A preStop that takes too long is given up; TERM comes, and the program ends in order."""
    lifecycle = {"preStop": hook("echo preStop >>/shared/order; sleep 1000")}
    made = pods.create(
        pod("slow", telling("app", lifecycle=lifecycle), terminationGracePeriodSeconds=1, **SHARED)
    )
    all_up(made, 1)
    before = time.monotonic()
    made("stop")  # it would be given up after 60 s
    assert time.monotonic() - before > 0.9
    assert order(made) == ["up app", "preStop", "TERM app"]
    assert any(line.startswith("FailedPreStopHook") for line in made.events)


def test_no_hook_for_who_has_ended(pods: Pods) -> None:
    """preStop is for a container that runs."""
    lifecycle = {"preStop": hook("echo preStop >>/shared/order")}
    made = pods.create(
        pod(
            "ended",
            app("echo up task >>/shared/order", "task", lifecycle=lifecycle, **MOUNT),
            telling("app"),
            restartPolicy="Never",
            **SHARED,
        )
    )
    until("it has ended", lambda: made.ended("task") is not None)
    all_up(made, 2)
    made("stop")
    assert "preStop" not in order(made)


def test_force_is_at_once(pods: Pods) -> None:
    """`rm -f` runs no hook and waits for nobody; nothing is left."""
    lifecycle = {"preStop": hook("sleep 1000")}
    deaf = app("trap '' TERM; while :; do sleep 1; done", lifecycle=lifecycle)
    made = pods.create(pod("forced", deaf, terminationGracePeriodSeconds=1000))
    made("rm", "-f")  # it would be given up after 60 s
    assert not os.path.exists(made.home.data) and not os.path.exists(made.home.runtime)
    made("rm", "-f", check=False)  # and again


def test_the_programs_own_signal(pods: Pods) -> None:
    """lifecycle.stopSignal instead of TERM."""
    script = "trap 'echo USR1 >>/shared/order; exit 0' USR1; trap '' TERM; echo up it >>/shared/order; "
    made = pods.create(
        pod(
            "signal",
            app(script + "while :; do sleep 1000 & wait; done", lifecycle={"stopSignal": "SIGUSR1"}, **MOUNT),
            os={"name": "linux"},
            **SHARED,
        )
    )
    all_up(made, 1)
    made("stop")
    assert order(made) == ["up it", "USR1"]


def test_post_start_is_run_once_and_holds_up_running(pods: Pods) -> None:
    """Not Running before the hook is over; it runs beside the program, and once."""
    post = hook("echo hook >>/shared/order; until [ -e /shared/go ]; do sleep 0.05; done")
    made = pods.create(pod("started", app(lifecycle={"postStart": post}, **MOUNT), **SHARED))
    until("the hook runs", lambda: os.path.exists(f"{made.home.data}/volumes/shared/order"))
    assert made.pid() and made.waits() == "ContainerCreating" and made.phase == "Pending"
    with open(f"{made.home.data}/volumes/shared/go", "w"):
        pass
    until("it runs", lambda: made.phase == "Running")
    assert order(made) == ["hook"]


def test_a_failed_post_start_kills(pods: Pods) -> None:
    """The container is stopped and started anew; the hook's words are in the events."""
    post = hook("echo bad day; exit 7")
    made = pods.create(pod("unlucky", app(lifecycle={"postStart": post}), terminationGracePeriodSeconds=2))
    until("it was restarted", lambda: made.of().restartCount == 1)
    assert any(line.startswith("FailedPostStartHook") and "bad day" in line for line in made.events)
    until("it backs off", lambda: made.waits() == "CrashLoopBackOff")
    assert made.phase == "Running" or made.phase == "Pending"


def test_a_hook_that_sleeps(pods: Pods) -> None:
    """lifecycle sleep needs nothing in the image."""
    made = pods.create(
        pod(
            "sleepy",
            telling("app", lifecycle={"preStop": {"sleep": {"seconds": 1}}}),
            terminationGracePeriodSeconds=1000,
            **SHARED,
        )
    )
    all_up(made, 1)
    before = time.monotonic()
    made("stop")  # it would be given up after 60 s
    assert time.monotonic() - before >= 1
    assert order(made) == ["up app", "TERM app"]


def test_the_deadline(pods: Pods) -> None:
    """activeDeadlineSeconds: Failed, DeadlineExceeded, whatever the restartPolicy."""
    made = pods.create(pod("dead-line", app(), activeDeadlineSeconds=1))
    assert made.decision.look_again_at
    sandbox = made.seen.sandbox
    assert sandbox and made.seen.startedAt < sandbox.since, "it counts while the sandbox is made, too"
    until("it is over", lambda: made.is_over)
    assert (made.phase, made.status.reason) == ("Failed", "DeadlineExceeded")
    assert not addresses(pods.store)


def test_a_grace_can_be_made_shorter(pods: Pods) -> None:
    """A second, shorter stop overtakes the first; a longer one changes nothing."""
    made = pods.create(pod("hurry", app("trap '' TERM; echo up; while :; do sleep 1; done")))
    until("it is up", lambda: made.log() == ["up"])
    first = pods.minirun.popen(
        "pod", "stop", "--time", "100", "hurry", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until("it is stopping", lambda: made.seen.deletion is not None)
        made("stop", "--time", "0")
        assert first.wait(5) == 0
    finally:
        first.kill()
        first.wait()
    assert made.ended().exitCode == 137, made.seen


def test_a_killed_stop_is_taken_up(pods: Pods) -> None:
    """The command that waits is killed: the pod ends all the same, in order."""
    wait = "echo preStop >>/shared/order; until [ -e /shared/go ]; do sleep 0.05; done"
    lifecycle = {"preStop": hook(wait)}
    made = pods.create(pod("taken", telling("app", lifecycle=lifecycle), **SHARED))
    all_up(made, 1)
    stop = pods.minirun.popen("pod", "stop", "taken", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until("the hook runs", lambda: "preStop" in order(made))
    stop.send_signal(signal.SIGKILL)
    stop.wait()
    with open(f"{made.home.data}/volumes/shared/go", "w"):
        pass
    pods.minirun("pod", "ps", check=True)
    until("it is over", lambda: made.is_over)
    told = order(made)
    assert told[0] == "up app" and told[-1] == "TERM app" and set(told[1:-1]) == {"preStop"}


def test_logs_are_there_until_it_is_removed(pods: Pods) -> None:
    """What a stopped pod has printed."""
    made = pods.create(pod("told", app("echo first word; " + FOREVER)))
    until("it has spoken", lambda: made.log() == ["first word"])
    made("stop")
    assert printed(made.container()) == ["first word"]
    made("rm")
    assert not os.path.exists(made.home.data)
