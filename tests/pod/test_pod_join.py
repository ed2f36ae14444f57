"""``minirun run --pod``: one more container in a pod, as long as that lasts."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from minirun.container.options import Options
from minirun.container.state import Store
from minirun.pod import supervise
from minirun.pod.join import _THE_PODS, prepare
from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Living, Pods, app, inode, pod, proc_status, server, traces

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")


@pytest.fixture
def web(pods: Pods) -> Living:
    """A pod that answers on port 80."""
    return pods.create(pod("web", app(server("hello"))))


def join(web: Living, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """``minirun run --pod web WORDS``."""
    return web.minirun("run", "--pod", "web", *words, **options)


def test_it_is_in_the_pods_namespaces_and_cgroup(web: Living) -> None:
    """Network, IPC and host name are the sandbox's; files, processes and cgroup namespace its own."""
    join(web, "-d", "--name", "extra", "busybox", "sh", "-c", FOREVER, check=True)
    pid = web.pid("extra")
    for kind in ("net", "ipc", "uts"):
        assert inode(pid, kind) == inode(web.pause, kind)
    for kind in ("mnt", "pid", "cgroup"):
        assert inode(pid, kind) != inode(web.pause, kind)
    record = web.container("extra").record()
    assert all(f"/pod{web.home.uid}/" in group for group in record.cgroups)
    assert record.labels["io.kubernetes.pod.name"] == "web"
    assert record.labels["io.kubernetes.container.name"] == "extra"
    member = web.container("app").record()
    assert record.spec.process.oomScoreAdj == member.spec.process.oomScoreAdj


def test_it_talks_to_the_pod_on_localhost(web: Living) -> None:
    """And has its name, also where programs look for it."""
    said = join(
        web, "--rm", "busybox", "sh", "-c", "wget -qO- 127.0.0.1; hostname; echo $HOSTNAME", check=True
    )
    assert said.stdout.split() == ["hello", "web", "web"]


def test_the_exit_code_is_its_own_and_rm_removes_it(web: Living) -> None:
    """From the store, and from the pod."""
    assert join(web, "--rm", "--name", "brief", "busybox", "sh", "-c", "exit 7").returncode == 7
    assert not web.home.store.id_of_name("brief")
    assert "brief" not in web.seen.containers
    assert join(web, "--rm", "--name", "brief", "busybox", "true").returncode == 0  # the name is free


def test_rm_holds_when_nobody_watches(web: Living) -> None:
    """Detached, the monitor removes it and the pod forgets it."""
    join(web, "-d", "--rm", "--name", "brief", "busybox", "true", check=True)
    until("it is removed", lambda: not web.home.store.id_of_name("brief"))
    until("the pod has forgotten it", lambda: "brief" not in web.home.progress().seen.containers)


def test_the_pod_shows_it(web: Living) -> None:
    """As an ephemeral container, with its status; it does not count for READY."""
    join(web, "-d", "--name", "extra", "busybox", "sh", "-c", f"echo I am here; {FOREVER}", check=True)
    shown = json.loads(web("inspect"))
    assert [each["name"] for each in shown["spec"]["ephemeralContainers"]] == ["extra"]
    (status,) = shown["status"]["ephemeralContainerStatuses"]
    assert status["name"] == "extra" and "running" in status["state"]
    until("it has spoken", lambda: web("logs", "-c", "extra") == "I am here\n")
    assert web.exec("hostname", container="extra") == "web\n"
    assert "1/1" in web.minirun("pod", "ps", check=True).stdout


def test_a_stop_of_the_pod_stops_it_in_time(web: Living) -> None:
    """It hears the stop signal, and may use it; its end is recorded."""
    script = "trap 'echo farewell; exit 3' TERM; while :; do sleep 1000 & wait; done"
    join(web, "-d", "--name", "extra", "busybox", "sh", "-c", script, check=True)
    until("it listens", lambda: int(proc_status(web.pid("extra"), "SigCgt"), 16) >> 14 & 1 == 1)
    web("stop")
    ended = web.run("extra").ended
    assert ended and ended.exitCode == 3
    assert web.log("extra") == ["farewell"]
    web("start")
    until("the pod runs again", lambda: web.pause != 0)
    assert "extra" not in web.seen.containers  # what begins anew is what the manifest says
    assert not web.home.store.id_of_name("extra")


def test_the_end_of_the_pod_is_its_end(web: Living) -> None:
    """pod rm -f leaves nothing of it."""
    join(web, "-d", "--name", "extra", "busybox", "sh", "-c", FOREVER, check=True)
    join(web, "-d", "--name", "ended", "busybox", "true", check=True)
    web.minirun("create", "--pod", "web", "--name", "waiting", "busybox", "true", check=True)
    web("rm", "-f")
    assert not {path for path in traces(web.home.store) if not path.startswith("/sys/")}


def test_a_created_one_waits_for_start(web: Living) -> None:
    """The supervisor leaves its gate alone; what was ended may be started again."""
    web.minirun("create", "--pod", "web", "--name", "later", "busybox", "sh", "-c", FOREVER, check=True)
    web("exec", "--", "true")  # somebody looks after the pod
    assert web.run("later").state == "created"
    web.minirun("start", "later", check=True)
    assert web.run("later").state == "running"
    web.minirun("stop", "-t", "1", "later", check=True)
    until("its end is seen", lambda: web.run("later").state == "exited")
    web.minirun("start", "later", check=True)
    assert web.run("later").state == "running"
    web("stop")
    assert web.run("later").state == "exited"
    # One of the manifest's would run beside the pod, and nobody would end it.
    refused = web.minirun("start", "web_app")
    assert refused.returncode == 125 and "it is a part of pod web" in refused.stderr


def test_it_outlives_the_containers_but_not_the_sandbox(web: Living) -> None:
    """A new sandbox would be another pod to it."""
    join(web, "-d", "--name", "extra", "busybox", "sh", "-c", FOREVER, check=True)
    before = web.pause
    os.kill(web.pid("app"), 9)
    until("the app is restarted", lambda: web.run("app").restarts == 1)
    assert web.run("extra").state == "running"
    os.kill(before, 9)
    until("there is a new sandbox", lambda: web.pause not in (0, before))
    assert web.run("extra").state == "exited"


def test_the_pods_processes_are_shared_if_it_shares_them(pods: Pods) -> None:
    """pause is number 1 to it, too."""
    shared = pods.create(pod("shared", app(), shareProcessNamespace=True))
    said = shared.minirun("run", "--rm", "--pod", "shared", "busybox", "cat", "/proc/1/cmdline", check=True)
    assert "pause" in said.stdout
    refused = shared.minirun("run", "--rm", "--pod", "shared", "--pid", "host", "busybox", "true")
    assert refused.returncode == 125 and "--pod and --pid" in refused.stderr


CONTRADICTIONS = (
    ("--network", "none"),
    ("-p", "80"),
    ("-P",),
    ("--ip", "10.1.2.3"),
    ("--dns", "9.9.9.9"),
    ("--add-host", "a:10.0.0.1"),
    ("--hostname", "me"),
    ("--ipc", "host"),
    ("--shm-size", "1m"),
    ("--uts", "host"),
    ("--userns", "private"),
    ("--cgroup-parent", "/x"),
)


def test_what_the_pod_decides_is_not_said_again(web: Living) -> None:
    """Three lines, and nothing is left."""
    for words in CONTRADICTIONS:
        refused = join(web, "--rm", *words, "busybox", "true")
        assert refused.returncode == 125
        lines = refused.stderr.splitlines()
        assert len(lines) == 3 and "--pod and --" in lines[0] and "contradict" in lines[0], refused.stderr
    assert set(web.seen.containers) == {"app"}


def test_every_flag_of_the_network_is_the_pods() -> None:
    """A new one has to be thought of here."""
    from minirun.cli.flags import TABLES

    fields = {field for _, field in _THE_PODS}
    flags = {name for name, _ in _THE_PODS}
    known = {name for flag in TABLES["run"].flags for name in flag.names}
    assert flags <= known
    assert {"network", "publish", "publish_all", "ip", "ip6", "mac_address", "network_alias"} <= fields


def test_where_there_is_no_pod_to_join(web: Living, pods: Pods) -> None:
    """It is not there; it was stopped; it has one of that name."""
    missing = web.minirun("run", "--rm", "--pod", "nope", "busybox", "true")
    assert missing.returncode == 125 and "no such pod: nope" in missing.stderr
    taken = join(web, "--rm", "--name", "app", "busybox", "true")
    assert taken.returncode == 125 and "has a container app already" in taken.stderr
    assert not Store(root=str(web.minirun.root), state=str(web.minirun.state)).id_of_name("app")
    unknown = join(web, "--rm", "nosuchimage", "true")
    assert unknown.returncode == 125 and set(web.seen.containers) == {"app"}
    web("stop")
    stopped = join(web, "--rm", "busybox", "true")
    assert stopped.returncode == 125 and "it does not run" in stopped.stderr


def test_a_program_that_is_not_there_leaves_nothing(web: Living) -> None:
    """127, as ever; and the pod forgets it."""
    assert join(web, "--name", "wrong", "busybox", "/no/such").returncode == 127
    until("the name is free", lambda: not web.home.store.id_of_name("wrong"))
    web("exec", "--", "true")
    join(web, "--rm", "busybox", "true", check=True)  # whoever comes next tidies up
    assert "wrong" not in web.home.progress().seen.containers


def test_explain_shows_what_is_joined(web: Living) -> None:
    """setns into what pause holds, and no network of its own."""
    shown = web.minirun("explain", "--pod", "web", "busybox", "true", check=True).stdout
    assert f"/proc/{web.pause}/ns/net" in shown and "RTM_NEWLINK" not in shown


def test_a_command_that_was_killed_on_the_way_holds_nobody_up(web: Living) -> None:
    """The pod was told, and then there was no container: the pod goes on, ends, and forgets it."""
    options = Options(image="busybox", command=("true",), pod="web", name="ghost")
    prepared = prepare(web.home.store, options)
    assert [one.container.name for one in web.home.wishes().joined] == ["ghost"]
    supervise.tend(web.home)
    assert web.run("ghost").state == "starting"  # the command holds the container's lock
    prepared.lock.release()
    supervise.tend(web.home)
    assert "ghost" not in web.home.progress().seen.containers
    web.minirun("gc", check=True)
    assert not web.home.store.id_of_name("ghost")
    web("stop")
    assert web.is_over
