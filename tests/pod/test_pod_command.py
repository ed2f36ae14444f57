"""``minirun pod create, apply, down, stop, rm ...``: what they do, what they print, how they refuse."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from minirun.pod import supervise
from tests.conftest import Minirun
from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Pods, app, data, pod, traces

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

#: Nobody else on the machine is there: no other directory's tests, and it is below ip_local_port_range.
PORT = 18_745


def line_of(minirun: Minirun, name: str) -> list[str]:
    """The cells of a pod in `pod ps`."""
    lines = minirun("pod", "ps", check=True).stdout.splitlines()
    return next(re.split(r" {2,}", line) for line in lines if line.split()[0] == name)


def files_of(pods: Pods) -> set[str]:
    """What the store has of pods. The cgroups, where others have theirs too, are looked at elsewhere."""
    return {path for path in traces(pods.store) if not path.startswith("/sys/") and "/." not in path}


def test_a_life_by_its_commands(pods: Pods, tmp_path: Path) -> None:
    """create, ps, inspect, logs, exec, stop, start, restart, rm: each prints what kubectl or podman would."""
    minirun = pods.minirun
    file = tmp_path / "web.yaml"
    both = pod("web", app("echo hello; " + FOREVER), app(FOREVER, "log"))
    file.write_text(json.dumps(both))
    assert minirun("pod", "create", str(file), "--wait", check=True).stdout == "pod/web created\n"
    header = minirun("pod", "ps").stdout.splitlines()[0]
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    cells = line_of(minirun, "web")
    assert cells[:4] == ["web", "2/2", "Running", "0"] and cells[5] == pods.find("web").address
    assert minirun("pod", "inspect", "web", "--format", "{{.status.phase}}").stdout == "Running\n"
    assert minirun("pod", "logs", "web", "-c", "app", check=True).stdout == "hello\n"
    assert minirun("pod", "exec", "web", "-c", "log", "--", "hostname", check=True).stdout == "web\n"

    assert minirun("pod", "stop", "web", check=True).stdout == "web\n"
    cells = line_of(minirun, "web")
    assert cells[:2] == ["web", "0/2"] and cells[5] == "<none>"
    refused = minirun("pod", "exec", "web", "--", "true")
    assert refused.returncode == 125 and "it does not run" in refused.stderr
    assert minirun("pod", "start", "web", check=True).stdout == "web\n"
    until("both run again", lambda: line_of(minirun, "web")[1:3] == ["2/2", "Running"])
    before = pods.find("web").pause
    assert minirun("pod", "restart", "web", check=True).stdout == "web\n"
    until("both run again", lambda: line_of(minirun, "web")[1:3] == ["2/2", "Running"])
    assert pods.find("web").pause != before

    refused = minirun("pod", "rm", "web")
    assert refused.returncode == 125
    assert refused.stderr.splitlines() == [
        "minirun: cannot remove pod web",
        "  why: it has not ended",
        "  try: minirun pod stop web first, or use --force",
    ]
    assert minirun("pod", "rm", "-f", "web", check=True).stdout == "web\n"
    assert minirun("pod", "ps").stdout.count("\n") == 1
    assert files_of(pods) == set()


def test_every_mistake_of_a_manifest_is_listed(pods: Pods) -> None:
    """With its path and its line; nothing is made."""
    text = """\
apiVersion: v1
kind: Pod
metadata: {name: Web_1}
spec:
  containers:
    - name: app
      command: sleep
      ports:
        - containerPort: 80
        - containerPort: 70000
      restart: 3
    - name: app
      image: busybox
"""
    refused = pods.minirun("pod", "create", "-", input=text)
    assert refused.returncode == 125 and refused.stdout == ""
    for place, line in (
        ("metadata.name", 3),
        ("spec.containers[0].image", 6),
        ("spec.containers[0].command", 7),
        ("spec.containers[0].ports[1].containerPort", 10),
        ("spec.containers[0].restart", 11),
        ("spec.containers[1].name", 12),
    ):
        assert re.search(rf"{re.escape(place)}: .*\(line {line}\)", refused.stderr), place
    assert files_of(pods) == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no objects"),
        ("a: [", "not"),
        ("kind: Service\napiVersion: v1\n", "Service is not supported"),
        (json.dumps(data("ConfigMap", "c", {"a": "b"})), "asks for no pod"),
    ],
)
def test_a_file_without_a_pod(minirun: Minirun, text: str, said: str) -> None:
    refused = minirun("pod", "create", "-", input=text)
    assert refused.returncode == 125 and said in refused.stderr


def test_a_file_that_is_not_there(minirun: Minirun, tmp_path: Path) -> None:
    refused = minirun("pod", "create", str(tmp_path / "none.yaml"))
    assert refused.returncode == 125 and "ENOENT" in refused.stderr
    assert refused.stderr.count("\n") == 3
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    assert "it is not UTF-8" in minirun("pod", "create", str(tmp_path / "raw")).stderr


def test_a_name_that_is_taken(pods: Pods) -> None:
    """Refused, and the pod that has it is not touched; --replace removes that one."""
    first = pods.create(pod("one", app()))
    refused = pods.command(pod("one", app()))
    assert refused.returncode == 125
    assert refused.stderr.startswith("minirun: there is a pod one already\n")
    assert pods.find("one").home.uid == first.home.uid
    done = pods.command(pod("one", app("sleep 1000")), words=("--replace",), check=True)
    assert done.stdout == "pod/one created\n"
    assert pods.find("one").home.uid != first.home.uid
    assert len(pods.minirun("pod", "ps", "-q").stdout.split()) == 1


def test_an_image_that_is_not_here(pods: Pods) -> None:
    """The pod is there and waits, as it does for a kubelet; ps and wait say for what."""
    pods.create(pod("lost", {"name": "app", "image": "nosuch:1"}))
    assert line_of(pods.minirun, "lost")[1:3] == ["0/1", "ErrImagePull"]
    late = pods.minirun("pod", "wait", "lost", "--for=condition=Ready", "--timeout", "0")
    assert late.returncode == 125 and "ErrImagePull" in late.stderr
    unwritten = pods.minirun("pod", "logs", "lost")
    assert unwritten.returncode == 125 and "ErrImagePull" in unwritten.stderr


def test_a_port_in_use(pods: Pods) -> None:
    """The pod cannot be made, and nothing of it is left; the one that has the port goes on."""
    ports = [{"containerPort": 80, "hostPort": PORT}]
    first = pods.create(pod("first", app(ports=ports)))
    assert first("port") == f"80/tcp -> 0.0.0.0:{PORT}\n"
    before = files_of(pods)
    refused = pods.command(pod("second", app(ports=ports)))
    assert refused.returncode == 125 and str(PORT) in refused.stderr and "second" in refused.stderr
    assert refused.stdout == ""
    assert files_of(pods) == before
    assert line_of(pods.minirun, "first")[2] == "Running"


def test_wait_is_for_readiness(pods: Pods) -> None:
    """--wait comes back when the readiness probe has passed, and not before."""
    probe = {"exec": {"command": ["test", "-e", "/ready"]}, "periodSeconds": 1}
    began = time.monotonic()
    made = pods.create(
        pod("slow", app("sleep 0.7; touch /ready; " + FOREVER, readinessProbe=probe)), words=("--wait=20",)
    )
    assert time.monotonic() - began > 0.7
    assert line_of(pods.minirun, "slow")[1] == "1/1"
    assert made("wait", "--for=condition=Ready") == "pod/slow condition met\n"
    assert made("wait", "--for=condition=containersready", "--timeout=0") == "pod/slow condition met\n"


def test_wait_that_is_too_short(pods: Pods) -> None:
    """The pod stays; the error says what it waits for."""
    probe = {"exec": {"command": ["false"]}}
    late = pods.command(pod("never", app(readinessProbe=probe)), words=("--wait=0.3",))
    assert (late.returncode, late.stdout) == (125, "pod/never created\n")
    assert "timed out waiting for pod never: ready" in late.stderr and "app is not ready" in late.stderr
    assert line_of(pods.minirun, "never")[1:3] == ["0/1", "Running"]


def test_wait_for_a_task(pods: Pods) -> None:
    """A pod that has done its task is through; one that has failed is an error at once."""
    done = pods.command(pod("task", app("true"), restartPolicy="Never"), words=("--wait",))
    assert done.returncode == 0
    assert line_of(pods.minirun, "task")[1:3] == ["0/1", "Completed"]
    failed = pods.command(pod("fails", app("exit 3"), restartPolicy="Never"), words=("--wait",))
    assert failed.returncode == 125
    assert "pod fails has failed" in failed.stderr and "exit code 3" in failed.stderr
    assert line_of(pods.minirun, "fails")[2] == "Error"


def test_a_crash_is_counted(pods: Pods) -> None:
    """RESTARTS, CrashLoopBackOff, and the log of the run before."""
    script = "if [ -e /data/again ]; then echo second; else touch /data/again; echo first; fi; exit 3"
    volume = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    made = pods.create(pod("crash", app(script, **volume), volumes=[{"name": "data", "emptyDir": {}}]))
    until("it backs off", lambda: line_of(pods.minirun, "crash")[2] == "CrashLoopBackOff")
    assert re.fullmatch(r"1 \(\d+s ago\)", line_of(pods.minirun, "crash")[3])
    # As the kubelet has it: the run that has just ended is the previous one while there is no next.
    assert made("logs") == "second\n"
    status = json.loads(made("inspect"))["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["exitCode"] == 3


def _children(parent: int) -> list[str]:
    """The children of a process, also those that have ended and that it has not waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[1:2] == [str(parent)]:
            found.append(stat.parent.name)
    return found


def test_the_log_of_the_run_before(pods: Pods) -> None:
    """--previous is refused before there is one."""
    script = "echo run $(hostname); trap 'exit 1' TERM; while :; do sleep 1000 & wait; done"
    made = pods.create(pod("twice", app(script)))
    until("it has written", lambda: made("logs") == "run twice\n")
    refused = pods.minirun("pod", "logs", "-p", "twice")
    assert refused.returncode == 125 and "has no previous run" in refused.stderr
    made("kill", "-s", "TERM")
    until("it was restarted", lambda: line_of(pods.minirun, "twice")[3].startswith("1"))
    assert made("logs", "--previous") == "run twice\n"


def test_several_pods_in_a_file(pods: Pods) -> None:
    """One that cannot be made is named, and costs none of the others."""
    taken = [{"containerPort": 80, "hostPort": PORT}]
    made = pod("a", app(ports=taken)), pod("b", app(ports=taken)), pod("d", app(ports=taken)), pod("c", app())
    done = pods.command(*made)
    assert done.returncode == 125
    assert done.stdout.splitlines() == ["pod/a created", "pod/c created"]
    assert "pod b" in done.stderr and "pod d" in done.stderr
    assert [line.split()[0] for line in pods.minirun("pod", "ps").stdout.splitlines()[1:]] == ["a", "c"]


def test_a_deployment_is_its_replicas(pods: Pods) -> None:
    """And the ConfigMap of the same file is theirs."""
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "containers": [app("echo $WORD; " + FOREVER, envFrom=[{"configMapRef": {"name": "words"}}])],
            "tolerations": [{"operator": "Exists"}],
        },
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    done = pods.command(data("ConfigMap", "words", {"WORD": "read"}), deployment, words=("--wait",))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["pod/web-0 created", "pod/web-1 created"]
    assert "note: spec.template.spec.tolerations: " in done.stderr
    assert pods.minirun("pod", "logs", "web-1").stdout == "read\n"
    shown = pods.minirun("pod", "ps", "-l", "app=web", "--format", "{{.Name}}").stdout
    assert shown.split() == ["web-0", "web-1"]


def test_lenient_warns(pods: Pods) -> None:
    odd = pod("odd", app(nonsense=1))
    refused = pods.command(odd)
    assert refused.returncode == 125 and "nonsense" in refused.stderr
    done = pods.command(odd, words=("--lenient",))
    assert done.returncode == 0 and done.stderr.startswith("warning: ") and "nonsense" in done.stderr


def test_apply_changes_what_is_different(pods: Pods) -> None:
    """created, unchanged, configured: by the pod, and by the data that it uses."""

    def apply(*documents: dict[str, object]) -> list[str]:
        text = "\n---\n".join(map(json.dumps, documents))
        return pods.minirun("pod", "apply", "-", input=text, check=True).stdout.splitlines()

    words = app("echo $WORD; " + FOREVER, env=[{"name": "WORD", "value": "one"}])
    assert apply(pod("x", words), pod("y", app())) == ["pod/x created", "pod/y created"]
    before = pods.find("x").home.uid, pods.find("y").home.uid
    assert apply(pod("x", words), pod("y", app())) == ["pod/x unchanged", "pod/y unchanged"]
    assert (pods.find("x").home.uid, pods.find("y").home.uid) == before
    other = app("echo $WORD; " + FOREVER, env=[{"name": "WORD", "value": "two"}])
    assert apply(pod("x", other), pod("y", app())) == ["pod/x configured", "pod/y unchanged"]
    until("the new one has written", lambda: pods.minirun("pod", "logs", "x").stdout == "two\n")
    assert pods.find("y").home.uid == before[1]
    told = apply(data("ConfigMap", "c", {"a": "b"}), pod("y", app()))
    assert told == ["pod/y configured"]


def test_down_is_the_way_back(pods: Pods, tmp_path: Path) -> None:
    """Of the pods of the file, and of no others; what is gone already is fine."""
    file = tmp_path / "both.yaml"
    file.write_text("\n---\n".join(map(json.dumps, (pod("a", app()), pod("b", app())))))
    pods.minirun("pod", "create", str(file), check=True)
    pods.create(pod("other", app()))
    down = pods.minirun("pod", "down", str(file), check=True)
    assert down.stdout.splitlines() == ["pod/b deleted", "pod/a deleted"]
    assert [line.split()[0] for line in pods.minirun("pod", "ps").stdout.splitlines()[1:]] == ["other"]
    again = pods.minirun("pod", "down", str(file), check=True)
    assert again.stdout == "" and "there is no pod a" in again.stderr


def test_the_network_of_a_pod(pods: Pods) -> None:
    """--network names it; what only a manifest can say is refused."""
    minirun = pods.minirun
    minirun("network", "create", "--no-ipv6", "podnet", check=True)
    found = json.loads(minirun("network", "inspect", "podnet").stdout)
    subnet = ipaddress.ip_network(found[0]["subnets"][0]["subnet"])
    try:
        made = pods.create(pod("there", app()), words=("--network", "podnet"))
        assert ipaddress.ip_address(made.address) in subnet
        assert made("rm", "-f") == "there\n"
        alone = pods.create(pod("alone", app()), words=("--network", "none"))
        assert line_of(minirun, "alone")[5] == "<none>"
        assert "lo" in alone.exec("ip", "-o", "link") and "eth0" not in alone.exec("ip", "-o", "link")
    finally:
        minirun("pod", "rm", "-f", "there", "alone")
        minirun("network", "rm", "podnet", check=True)
    refused = pods.command(pod("h", app()), words=("--network", "host"))
    assert refused.returncode == 125 and "hostNetwork: true" in refused.stderr
    both = pods.command(pod("h", app(), hostNetwork=True), words=("--network", "none"))
    assert both.returncode == 125 and "contradict" in both.stderr
    assert pods.command(pod("h", app()), words=("--network", "nosuch")).returncode == 125
    assert files_of(pods) == set()


def test_rm_of_several(pods: Pods) -> None:
    """One that cannot be removed is said, and costs none of the others."""
    minirun = pods.minirun
    for name in ("a", "b"):
        pods.create(pod(name, app()))
    done = minirun("pod", "rm", "-f", "a", "nosuch", "b")
    assert (done.returncode, done.stdout.split()) == (0, ["a", "b"])
    missing = minirun("pod", "rm", "nosuch")
    assert missing.returncode == 125 and "no such pod: nosuch" in missing.stderr
    assert "no pod is named" in minirun("pod", "rm").stderr
    assert "contradict" in minirun("pod", "rm", "-a", "x").stderr
    assert "--time needs --force" in minirun("pod", "rm", "-t", "3", "x").stderr


def test_all_of_them(pods: Pods) -> None:
    """-a is every pod: stop, start, kill, rm; prune takes those that have ended."""
    minirun = pods.minirun
    for name in ("a", "b"):
        pods.create(pod(name, app()))
    pods.create(pod("task", app("true"), restartPolicy="Never"), words=("--wait",))
    # --wait ends as soon as it is ready: it may run still.
    until("the task goes", lambda: minirun("pod", "prune", "-f", check=True).stdout == "task\n")
    assert minirun("pod", "stop", "-a", check=True).stdout.split() == ["a", "b"]
    assert minirun("pod", "start", "--all", check=True).stdout.split() == ["a", "b"]
    assert minirun("pod", "kill", "-a", check=True).stdout.split() == ["a", "b"]
    assert minirun("pod", "prune", input="n\n").returncode == 130
    assert minirun("pod", "prune", "-f", check=True).stdout.split() == ["a", "b"]
    assert minirun("pod", "rm", "-a", check=True).stdout == ""
    assert files_of(pods) == set()


def test_prune_brings_to_its_end_what_has_ended(pods: Pods) -> None:
    """A pod whose last program is gone, and of which nobody has taken notice yet."""
    made = pods.create(pod("task", app(), restartPolicy="Never"))
    running = made.container().running()
    assert running
    os.kill(running.monitor, signal.SIGKILL)  # it would have told
    os.kill(made.pid(), signal.SIGKILL)
    until("its program is gone", lambda: made.phase == "Failed")
    assert pods.minirun("pod", "prune", "-f", check=True).stdout == "task\n"


def test_stop_gives_time_and_no_more(pods: Pods) -> None:
    """Programs that are deaf to TERM: as long as -t says, for several pods at the same time."""
    for name in ("a", "b"):
        pods.create(pod(name, app("trap '' TERM; while :; do sleep 1000; done")))
    began = time.monotonic()
    assert pods.minirun("pod", "stop", "-t", "4", "a", "b", check=True).stdout.split() == ["a", "b"]
    assert 4 <= time.monotonic() - began < 8  # one after the other would take that long
    for name in ("a", "b"):
        assert pods.find(name).ended().exitCode == 137


def test_kill(pods: Pods) -> None:
    """KILL ends the pod, at once and for good; another signal goes to every program."""
    hears = "trap 'echo heard' USR1; while :; do sleep 1000 & wait; done"
    made = pods.create(pod("k", app(hears), app(hears, "b"), terminationGracePeriodSeconds=1000))
    until(
        "the traps are set", lambda: "SigCgt" in made.exec("cat", "/proc/1/status") and _catches(made.pid())
    )
    until("the traps are set", lambda: _catches(made.pid("b")))
    made("kill", "-s", "USR1")
    until("both have heard", lambda: made.log() == made.log("b") == ["heard"])
    assert made("kill") == "k\n"  # it would be given up after 60 s
    assert line_of(pods.minirun, "k")[1:3] == ["0/2", "Error"]
    again = pods.minirun("pod", "kill", "k")
    assert again.returncode == 125 and "nothing runs in it" in again.stderr
    assert "--signal 'NIX'" in pods.minirun("pod", "kill", "-s", "NIX", "k").stderr


def _catches(pid: int) -> bool:
    """Whether a process has a handler for SIGUSR1 (10)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.split("SigCgt:")[1].split()[0], 16) >> 9 & 1)


def test_wait(pods: Pods) -> None:
    """Conditions, phases, paths, the end of a pod."""
    made = pods.create(pod("w", app(), initContainers=[app("true", "init")]))
    for goal in (
        "condition=Initialized",
        "condition=Ready=true",
        "phase=running",
        "jsonpath={.status.phase}=Running",
        "jsonpath='{.status.containerStatuses[0].ready}'=true",
        "jsonpath={.status.podIP}",
        "jsonpath={$.status['phase']}=Running",
    ):
        assert made("wait", f"--for={goal}") == "pod/w condition met\n", goal
    for goal in (
        "condition=Happy",
        "condition=Ready=maybe",
        "phase=x",
        "jsonpath={.status",
        "soon",
        "jsonpath=x",
        "jsonpath={.status.containerStatuses[?(@.ready)].name}=a",
    ):
        refused = pods.minirun("pod", "wait", "w", f"--for={goal}")
        assert refused.returncode == 125 and "is not understood" in refused.stderr, goal
    late = pods.minirun("pod", "wait", "w", "--for=phase=Failed", "--timeout=0.2s")
    assert late.returncode == 125 and "timed out waiting for pod w: phase=Failed" in late.stderr
    with pods.minirun.popen(
        "pod", "wait", "w", "--for=delete", "--timeout=30s", stdout=-1, text=True
    ) as waiting:
        made("rm", "-f")
        assert waiting.communicate(timeout=30)[0] == "pod/w condition met\n"
    assert waiting.returncode == 0
    assert pods.minirun("pod", "wait", "w", "--for=delete").returncode == 0
    gone = pods.minirun("pod", "wait", "w", "--for=condition=Ready")
    assert gone.returncode == 125 and "no such pod: w" in gone.stderr


def test_events_are_followed(pods: Pods) -> None:
    """Until the pod is removed."""
    made = pods.create(pod("e", app()))
    with pods.minirun.popen(
        "pod", "events", "-f", "--format", "json", "e", stdout=-1, text=True
    ) as following:
        assert following.stdout
        first = json.loads(following.stdout.readline())
        assert (first["reason"], first["object"]) == ("SandboxCreated", "pod/e")
        made("stop")
        made("rm")
        rest = [json.loads(line)["reason"] for line in following.stdout]
        following.wait(30)
    assert rest[:3] == ["Pulled", "Created", "Started"] and "Killing" in rest and following.returncode == 0


def test_a_pod_whose_supervisor_was_killed(pods: Pods) -> None:
    """Any pod command gives it another one."""
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 3600}
    made = pods.create(pod("s", app(readinessProbe=probe)), words=("--wait",))
    until("it is looked after", lambda: len(made.supervisors()) == 1)
    (pid,) = made.supervisors()
    pods.minirun("pod", "ps", check=True)
    assert made.supervisors() == [pid]  # there is no second one
    os.kill(pid, signal.SIGKILL)
    until("it is dead", lambda: made.supervisors() == [])
    pods.minirun("pod", "ps", check=True)
    until("it is looked after", lambda: len(made.supervisors()) == 1)
    # What it restarts is its child; it takes leave of those that have ended.
    (pid,) = made.supervisors()
    os.kill(made.pid(), signal.SIGKILL)
    until("it was restarted", lambda: made.of().restartCount == 1 and made.of().ready)
    os.kill(made.pid(), signal.SIGKILL)
    until("it backs off", lambda: made.waits() == "CrashLoopBackOff")
    until("its dead are buried", lambda: supervise.poke(made.home) and not _children(pid))
    assert made.supervisors() == [pid]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create",), "missing argument 'FILE'"),
        (("create", "a", "b"), "unexpected extra argument"),
        (("create", "--wait=soon", "a"), "--wait 'soon' is not understood"),
        (("exec", "web"), "missing argument 'COMMAND...'"),
        (("exec", "nosuch", "--", "true"), "no such pod: nosuch"),
        (("stop", "-t", "-3", "web"), "--time '-3' is not understood"),
        (("ps", "-l", "a b"), "the selector 'a b' is not understood"),
        (("ps", "-f", "x=y"), "there is no filter 'x'"),
        (("logs", "web", "--nonsense"), "no such option"),
        (("nonsense",), "no such command"),
        (("describe", "web"), "try: inspect;"),
        ((), "missing command"),
    ],
)
def test_mistakes_of_the_command_line(minirun: Minirun, words: tuple[str, ...], said: str) -> None:
    """Three lines: what, why, what to do."""
    refused = minirun("pod", *words)
    assert refused.returncode == 125 and said in refused.stderr
    assert [line[:7] for line in refused.stderr.splitlines()] == ["minirun", "  why: ", "  try: "]


def test_help_of_every_command(minirun: Minirun) -> None:
    """Each says what it does, and lists its options."""
    lines = minirun("pod", "--help", check=True).stdout.split("Commands:\n")[1].splitlines()
    names = [line.split()[0] for line in lines if not line.startswith("   ")]
    assert {"create", "apply", "down", "ps", "ns", "rm"} <= set(names)
    for name in names:
        text = minirun("pod", name, "--help", check=True).stdout
        assert text.startswith(f"Usage: minirun pod {name} "), name
