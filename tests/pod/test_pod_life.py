"""A pod's life: the order of its start, the namespaces it shares, its data, and how it completes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Pods, addresses, app, data, fetch, inode, pod, proc_status, server

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

#: Below the range that the kernel takes ports from for whoever asks for any (ip_local_port_range).
PORT = 18_748
#: Writes when it begins, by the clock that all containers share, into a volume that all have.
STAMP = 'echo "$ME" >>/shared/order'


def stamped(script: str, name: str, **fields: object) -> dict[str, object]:
    """A container that leaves its name in the order of the starts."""
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    return app(f"{STAMP}; {script}", name, env=[{"name": "ME", "value": name}], volumeMounts=mounts, **fields)


def test_sandbox_then_init_containers_then_sidecars_then_apps(pods: Pods) -> None:
    """One by one, each when the one before it has done its task; the apps after all of them."""
    made = pods.create(
        pod(
            "order",
            stamped(FOREVER, "app"),
            stamped(FOREVER, "web"),
            initContainers=[
                stamped("sleep 0.2; echo first done >>/shared/order", "first"),
                stamped(FOREVER, "sidecar", restartPolicy="Always"),
                stamped("true", "second"),
            ],
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )
    until("both apps run", lambda: made.condition("Ready") == "True")
    order = made.exec("cat", "/shared/order").split("\n")[:-1]
    assert order[:4] == ["first", "first done", "sidecar", "second"]
    assert sorted(order[4:]) == ["app", "web"]
    starts = [each.partition(" [")[0] for each in made.events if each.startswith("Started")]
    order = ["first", "sidecar", "second", "app", "web"]
    assert starts == [f"Started: Started container {name}" for name in order]
    assert made.events[0].startswith("SandboxCreated")
    assert made.ended("first").exitCode == 0 and made.state("sidecar").running
    assert made.condition("Initialized") == "True"
    # Every address was there before the first container: the hosts file has it.
    assert f"{made.address}\torder" in made.exec("cat", "/etc/hosts").replace(" ", "\t")


def test_an_init_container_is_waited_for(pods: Pods) -> None:
    """Pending, and PodInitializing, for as long as it takes."""
    made = pods.create(
        pod(
            "held",
            app(),
            initContainers=[app("until [ -e /go ]; do sleep 0.05; done", "init")],
        )
    )
    until("the init container runs", lambda: made.state("init").running is not None)
    assert (made.phase, made.waits("app")) == ("Pending", "PodInitializing")
    assert made.condition("Initialized") == "False"
    assert pods.minirun("pod", "ps").stdout.splitlines()[1].split()[1:3] == ["0/1", "Init:0/1"]
    made.exec("touch", "/go", container="init")
    until("the app runs", lambda: made.phase == "Running")


def test_namespaces_are_those_of_pause(pods: Pods) -> None:
    """NET, IPC and UTS are pause's; PID, MNT and CGROUP are each container's own."""
    made = pods.create(pod("shared", app(), app(server("it is me", 7000), "web")))
    pids = [made.pause, made.pid("app"), made.pid("web")]
    for kind in ("net", "ipc", "uts", "user"):
        assert len({inode(pid, kind) for pid in pids}) == 1, kind
    for kind in ("pid", "mnt", "cgroup"):
        assert len({inode(pid, kind) for pid in pids}) == 3, kind
    assert inode(made.pause, "net") != os.readlink("/proc/self/ns/net")
    # Pause has use for little else: what is mounted for it costs each pod its time.
    lines = Path(f"/proc/{made.pause}/mountinfo").read_text().splitlines()
    outside = {line.split()[4] for line in lines} - {"/", "/proc", "/dev", "/dev/shm"}
    assert all(each.startswith(("/proc/", "/etc/")) for each in outside)
    assert made.exec("hostname").strip() == "shared"
    # What one listens on, the other reaches at localhost.
    until("it answers", lambda: fetch(f"http://{made.address}:7000/") == "it is me")
    assert made.exec("wget", "-qO-", "http://127.0.0.1:7000/").strip() == "it is me"


def test_a_shared_pid_namespace(pods: Pods) -> None:
    """shareProcessNamespace: pause is PID 1 of all, and reaps."""
    made = pods.create(pod("family", app(), app(name="web"), shareProcessNamespace=True))
    pids = [made.pause, made.pid("app"), made.pid("web")]
    assert len({inode(pid, "pid") for pid in pids}) == 1
    assert proc_status(made.pause, "NSpid").split()[-1] == "1"
    assert "/pause" in made.exec("cat", "/proc/1/cmdline")
    made.exec("sh", "-c", "(sleep 0.01 &) ; exec true")
    until("no zombies", lambda: " Z " not in made.exec("ps", "-o", "stat,comm"))


def test_the_host_namespaces(pods: Pods) -> None:
    """hostNetwork, hostPID and hostIPC are the host's own."""
    made = pods.create(pod("host", app(), hostNetwork=True, hostPID=True, hostIPC=True))
    for kind in ("net", "pid", "ipc", "uts"):
        assert inode(made.pid(), kind) == os.readlink(f"/proc/self/ns/{kind}"), kind
    assert made.exec("hostname").strip() == os.uname().nodename


@needs("userns")
def test_a_user_namespace(pods: Pods) -> None:
    """hostUsers: false: one namespace for the pod, 65536 ids above 65535, and its volumes are its root's."""
    shutil.rmtree(f"{pods.store.root}/pause", ignore_errors=True)  # the first of a store
    made = pods.create(
        pod(
            "mapped",
            app(volumeMounts=[{"name": "v", "mountPath": "/v"}, {"name": "m", "mountPath": "/m"}]),
            app(name="web"),
            hostUsers=False,
            volumes=[{"name": "v", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory"}}],
        )
    )
    pids = [made.pause, made.pid("app"), made.pid("web")]
    assert len({inode(pid, "user") for pid in pids}) == 1
    assert inode(made.pause, "user") != os.readlink("/proc/self/ns/user")
    _, first, size = Path(f"/proc/{made.pid()}/uid_map").read_text().split()
    assert (int(first) % 65536, int(first) > 65535, size) == (0, True, "65536")
    owners = made.exec("sh", "-c", "touch /v/mine /m/mine && stat -c %u /v /v/mine /m /m/mine")
    assert owners.split() == ["0"] * 4
    assert os.stat(f"{made.home.data}/volumes/v/mine").st_uid == int(first)
    assert os.readlink(f"{pods.store.root}/ids/{first}") == made.home.uid


@needs("userns")
def test_the_ids_are_the_pods_and_not_its_sandboxs(pods: Pods) -> None:
    """A sandbox that is made anew has the same ones, though lower ones are free by then: owners stay."""
    lower = pods.create(pod("lower", app(), hostUsers=False))
    made = pods.create(
        pod(
            "mapped",
            app(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            hostUsers=False,
            volumes=[{"name": "v", "emptyDir": {}}],
        )
    )
    made.exec("touch", "/v/mine")
    map_before = Path(f"/proc/{made.pid()}/uid_map").read_text()
    lower("rm", "-f")
    sandbox = made.sandbox.id
    os.kill(made.pause, 9)
    until("it runs anew", lambda: made.sandbox.id != sandbox and made.of().ready)
    assert Path(f"/proc/{made.pid()}/uid_map").read_text() == map_before
    assert made.exec("stat", "-c", "%u", "/v/mine").strip() == "0"
    pods.minirun("gc", check=True)
    assert os.listdir(f"{pods.store.root}/ids") == [map_before.split()[1]]


def test_a_task_succeeds_and_stays(pods: Pods) -> None:
    """OnFailure with exit 0: Succeeded, its address given back, its log and its files still there."""
    made = pods.create(pod("task", app("echo done"), restartPolicy="OnFailure"))
    until("it is over", lambda: made.is_over)
    assert made.phase == "Succeeded"
    assert (made.ended().exitCode, made.ended().reason) == (0, "Completed")
    assert made.log() == ["done"]
    assert not addresses(pods.store)
    until("nobody looks after it", lambda: not made.supervisors())
    assert made.of().restartCount == 0


def test_a_task_fails_for_good(pods: Pods) -> None:
    """Never with exit 3: Failed; the sidecar is stopped, and its end does not matter."""
    made = pods.create(
        pod(
            "failing",
            app("exit 3"),
            app("exit 0", "other"),
            initContainers=[app(FOREVER, "sidecar", restartPolicy="Always")],
            restartPolicy="Never",
        )
    )
    until("it is over", lambda: made.is_over)
    assert made.phase == "Failed"
    assert (made.ended().exitCode, made.ended().reason) == (3, "Error")
    assert made.ended("other").exitCode == 0
    assert made.ended("sidecar") and made.seen.of("sidecar").ended


def test_a_failed_init_container_fails_the_pod(pods: Pods) -> None:
    """With restartPolicy Never; the app was never made."""
    made = pods.create(pod("broken", app(), initContainers=[app("exit 1", "init")], restartPolicy="Never"))
    until("it is over", lambda: made.is_over)
    assert made.phase == "Failed"
    assert made.ended("init").exitCode == 1
    assert made.run("app").state == "none"


def test_a_stopped_pod_begins_anew(pods: Pods) -> None:
    """stop gives everything back, start makes a new sandbox with new namespaces."""
    made = pods.create(pod("again", app("echo hello; " + FOREVER)))
    asleep = made.pause
    made("stop")
    assert made.phase in ("Succeeded", "Failed") and made.seen.sandbox and made.seen.sandbox.state == "gone"
    assert not addresses(pods.store)
    made("start")
    until("it runs", lambda: made.phase == "Running")
    assert made.of().restartCount == 0
    assert made.pause != asleep


CONFIG = data("ConfigMap", "settings", {"colour": "green", "file.conf": "a=1\n"})
LOGIN = data("Secret", "login", {"password": "open sesame"})


def test_data_as_variables_and_files(pods: Pods) -> None:
    """A ConfigMap and a Secret, as env, envFrom with a prefix, and volumes; the pod itself by fieldRef."""
    made = pods.create(
        CONFIG,
        LOGIN,
        pod(
            "data",
            app(
                env=[
                    {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "BOTH", "value": "$(PASS)-$(nothing)"},
                ],
                envFrom=[{"prefix": "S_", "configMapRef": {"name": "settings"}}],
                volumeMounts=[
                    {"name": "conf", "mountPath": "/conf", "readOnly": True},
                    {"name": "login", "mountPath": "/login", "readOnly": True},
                ],
            ),
            volumes=[
                {"name": "conf", "configMap": {"name": "settings"}},
                {"name": "login", "secret": {"secretName": "login"}},
            ],
        ),
    )
    environment = Path(f"/proc/{made.pid()}/environ").read_text().split("\0")
    assert {"PASS=open sesame", "S_colour=green", f"IP={made.address}", "BOTH=open sesame-$(nothing)"} <= set(
        environment
    )
    assert made.exec("cat", "/conf/file.conf", "/login/password") == "a=1\nopen sesame"
    mounts = Path(f"/proc/{made.pid()}/mountinfo").read_text().splitlines()
    assert " - tmpfs " in next(line for line in mounts if " /login " in line)
    assert made.exec("sh", "-c", "echo x >/login/password || echo refused").strip() == "refused"


def test_what_is_missing_keeps_a_container_waiting(pods: Pods) -> None:
    """CreateContainerConfigError and ErrImagePull are waiting reasons; the other container runs."""
    missing = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "nowhere", "key": "x"}}}
    made = pods.create(
        pod(
            "poor",
            app(),
            app(name="blind", env=[missing]),
            {"name": "ghost", "image": "no-such-image"},
            {"name": "odd", "image": "Busy_Box::x"},
        )
    )
    assert made.waits("blind") == "CreateContainerConfigError"
    assert made.waits("ghost") == "ErrImagePull"
    assert made.waits("odd") == "InvalidImageName"
    assert made.state("app").running
    assert made.phase == "Pending"
    assert made.decision.look_again_at  # it is tried again
    until("somebody waits for that time", lambda: len(made.supervisors()) == 1)


def test_a_pod_that_cannot_be_made_leaves_nothing(pods: Pods) -> None:
    """A volume from a ConfigMap that is not there: the error says so, and nothing is left."""
    volume = {"name": "conf", "configMap": {"name": "nowhere"}}
    done = pods.command(
        pod("half", app(volumeMounts=[{"name": "conf", "mountPath": "/conf"}]), volumes=[volume])
    )
    assert done.returncode == 125
    assert "nowhere" in done.stderr
    assert not list(Path(pods.store.root).glob("pods/*-*"))
    pods.create(pod("half", app()))  # the name is free


def test_a_published_port(pods: Pods) -> None:
    """hostPort: reached on the host's address, as long as the pod lives."""
    script = server("it works")
    made = pods.create(pod("web", app(script, ports=[{"containerPort": 80, "hostPort": PORT}])))
    until("it answers", lambda: fetch(f"http://127.0.0.1:{PORT}/") == "it works")
    made("rm", "-f")
    assert fetch(f"http://127.0.0.1:{PORT}/") == ""


def test_last_words(pods: Pods) -> None:
    """terminationMessagePath is read; FallbackToLogsOnError takes the log of one that failed."""
    made = pods.create(
        pod(
            "words",
            app("echo -n farewell >/dev/termination-log"),
            app("echo -n adieu >/tmp/last; exit 1", "path", terminationMessagePath="/tmp/last"),
            app("echo one; echo two; exit 1", "log", terminationMessagePolicy="FallbackToLogsOnError"),
            app("echo silence; exit 1", "file"),
            restartPolicy="Never",
        )
    )
    until("it is over", lambda: made.is_over)
    assert made.phase == "Failed"
    said = {name: made.ended(name).message for name in ("app", "path", "log", "file")}
    assert said == {"app": "farewell", "path": "adieu", "log": "one\ntwo\n", "file": ""}


def test_two_pods_have_two_networks_and_one_name_each(pods: Pods) -> None:
    """Both have a server on port 80; a third of the same name is refused."""
    one, two = (pods.create(pod(name, app(server("here")))) for name in ("one", "two"))
    assert one.address != two.address
    assert inode(one.pause, "net") != inode(two.pause, "net")
    again = pods.command(pod("one", app()))
    assert again.returncode == 125 and "there is a pod one already" in again.stderr
    assert one.phase == "Running"


def test_a_pod_without_probes_costs_no_supervisor(pods: Pods) -> None:
    """Once all runs, nobody of minirun's is there but the monitors."""
    made = pods.create(pod("idle", app(), app(name="web")))
    until("nobody looks after it", lambda: not made.supervisors())
    assert not made.decision.needs_supervisor


def test_eviction(pods: Pods) -> None:
    """An emptyDir that outgrows its sizeLimit: the pod is Failed, Evicted, and says why."""
    made = pods.create(
        pod(
            "greedy",
            app(
                "head -c 300000 /dev/zero >/v/much; " + FOREVER,
                volumeMounts=[{"name": "v", "mountPath": "/v"}],
            ),
            volumes=[{"name": "v", "emptyDir": {"sizeLimit": "64Ki"}}],
        )
    )
    until("somebody measures it", lambda: bool(made.supervisors()))
    until("it holds too much", lambda: Path(f"{made.home.data}/volumes/v/much").stat().st_size == 300000)
    made("events")  # any command may come meanwhile
    for pid in made.supervisors():
        os.kill(pid, 9)  # a new one measures at once
    pods.minirun("gc", check=True)
    until("it is evicted", lambda: made.phase == "Failed")
    assert made.status.reason == "Evicted"
    assert '"v" exceeds the limit' in made.status.message


def test_a_taken_port_is_refused(pods: Pods) -> None:
    """The second pod that wants it is told who has it, and leaves nothing."""
    ports = [{"containerPort": 80, "hostPort": PORT}]
    pods.create(pod("first", app(ports=ports)))
    second = pods.command(pod("second", app(ports=ports)))
    assert second.returncode == 125 and str(PORT) in second.stderr
    assert [path.name for path in Path(pods.store.root).glob("pods/names/*")] == ["first"]
