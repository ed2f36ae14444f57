"""``minirun pod generate``: what it writes, `pod create` makes again."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from minirun.image.config import Image, ImageConfig
from minirun.pod import generate_container
from minirun.pod.manifest import read
from minirun.pod.manifest.types import Pod
from tests.needs import needs
from tests.pod.living import FOREVER, Living, Pods, app, data, pod, proc_status

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

PORT = 18_746


def generated(pods: Pods, *names: str) -> tuple[str, Pod, str]:
    """The text, the pod in it as `pod create` reads it, and what was noted."""
    done: subprocess.CompletedProcess[str] = pods.minirun("pod", "generate", *names, check=True)
    found = read.read(done.stdout, "generated")
    assert not found.warnings
    return done.stdout, found.pods[0], done.stderr


def again(pods: Pods, text: str, name: str) -> Living:
    """The pod that a text makes."""
    pods.minirun("pod", "create", "-", input=text, check=True)
    return pods.find(name)


def test_a_pod_and_what_it_uses(pods: Pods) -> None:
    """The same manifest comes back without status, and with its ConfigMaps and Secrets."""
    variable = {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "one"}}}
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "two"}}}
    asked = pod("web", app(FOREVER, env=[variable, secret]), restartPolicy="OnFailure")
    asked["metadata"] |= {"labels": {"app": "web"}, "annotations": {"a/b": "yes"}}
    web = pods.create(data("ConfigMap", "words", {"one": "1"}), data("Secret", "keys", {"two": "2"}), asked)
    text, found, notes = generated(pods, "web")
    assert not notes
    assert found.spec == web.home.record().pod.spec
    documents = list(yaml.safe_load_all(text))
    assert [each["kind"] for each in documents] == ["ConfigMap", "Secret", "Pod"]
    assert documents[2]["metadata"] == asked["metadata"] and "status" not in documents[2]
    web("rm", "-f")
    more = again(pods, text, "web")
    assert more.exec("sh", "-c", "echo $WORD $KEY") == "1 2\n"
    assert generated(pods, "web")[0] == text


def test_what_was_added_with_run_is_in_it(pods: Pods) -> None:
    """A debugger is not: it was there to look."""
    web = pods.create(pod("web", app(FOREVER)))
    pods.minirun("run", "-d", "--pod", "web", "--name", "extra", "busybox", "sh", "-c", FOREVER, check=True)
    pods.minirun("pod", "debug", "web", "-c", "dbg", "--", "sleep", "1000", check=True)
    text, found, _ = generated(pods, "web")
    assert [each.name for each in found.spec.containers] == ["app", "extra"]
    web("rm", "-f")
    assert again(pods, text, "web").run("extra").state == "running"


def test_a_plain_container_becomes_a_pod(pods: Pods) -> None:
    """Every flag that a manifest has a word for, and it has the same effect in the kernel."""
    minirun = pods.minirun
    minirun(
        *("run", "-d", "--name", "plain_1", "-m", "64m", "--cpus", "0.5", "-p", f"127.0.0.1:{PORT}:80"),
        *("-v", "/tmp:/host:ro", "-v", "vol:/vol", "-v", "/scratch", "--tmpfs", "/mem:size=4m"),
        *("-e", "A=$(B) $$", "-l", "app=x", "--cap-drop", "ALL", "--cap-add", "KILL", "-u", "5:6"),
        *("--group-add", "77", "--read-only", "--stop-signal", "INT", "--stop-timeout", "3", "-w", "/vol"),
        *("--security-opt", "seccomp=unconfined", "--hostname", "myself", "busybox", "sh", "-c", FOREVER),
        check=True,
    )
    text, found, notes = generated(pods, "plain_1")
    assert not notes
    before = pods.store.find("plain_1")
    wanted = {key: proc_status(before.live_pid(), key) for key in ("Uid", "CapBnd", "CapEff", "NoNewPrivs")}
    minirun("rm", "-f", "plain_1", check=True)
    made = again(pods, text, "plain-1-pod")
    name = "plain-1"
    assert {key: proc_status(made.pid(name), key) for key in wanted} == wanted
    assert proc_status(made.pid(name), "Seccomp") == "0"
    said = made.exec("sh", "-c", 'echo "$A"; pwd; hostname; id -G; mount', container=name).splitlines()
    assert said[:3] == ["$(B) $$", "/vol", "myself"] and "77" in said[3].split()
    mounts = {line.split(" on ")[1].split()[0]: line for line in said[4:]}
    assert "(ro" in mounts["/"] and "(ro" in mounts["/host"] and "(rw" in mounts["/vol"]
    assert "/scratch" in mounts and "size=4096k" in mounts["/mem"]
    spec = made.container(name).record().spec
    assert spec.linux.resources.memory.limit == 64 << 20 and spec.linux.resources.cpu.quota == 50_000
    assert made.container(name).record().stopSignal == 2
    assert found.spec.containers[0].ports[0].hostPort == PORT and found.metadata.labels == {"app": "x"}
    assert found.spec.terminationGracePeriodSeconds == 3 and found.spec.restartPolicy == "Never"
    made("rm", "-f")
    minirun("volume", "rm", "vol")


def test_several_containers_are_one_pod(pods: Pods) -> None:
    """Named after the first."""
    for name in ("one", "two"):
        pods.minirun(
            "run", "-d", "--name", name, "--network", "none", "busybox", "sh", "-c", FOREVER, check=True
        )
    _, found, notes = generated(pods, "one", "two")
    assert found.metadata.name == "one-pod"
    assert [each.name for each in found.spec.containers] == ["one", "two"]
    assert "--network none" in notes


def test_what_no_manifest_can_say_is_noted(pods: Pods) -> None:
    """Flag by flag, on standard error."""
    pods.minirun(
        *("run", "-d", "--name", "odd", "--network", "host", "--ulimit", "nofile=64", "--pids-limit", "50"),
        *("--umask", "077", "--init", "--privileged", "--pid", "host", "busybox", "sleep", "1000"),
        check=True,
    )
    _, found, notes = generated(pods, "odd")
    for word in ("--ulimit", "--pids-limit", "--umask", "--init"):
        assert f"odd: a manifest has no word for {word}" in notes
    assert len(notes.splitlines()) == 4
    security = found.spec.containers[0].securityContext
    assert security and security.privileged and not security.capabilities
    assert found.spec.hostNetwork and found.spec.hostPID and not found.spec.hostIPC


def test_names_and_servers_have_words(pods: Pods) -> None:
    """--add-host, --dns and its like, --shm-size; the rest of the network is noted."""
    pods.minirun(
        *("run", "-d", "--name", "named", "--add-host", "db:192.0.2.7", "--add-host", "cache:192.0.2.7"),
        *("--dns", "192.0.2.53", "--dns-search", "a.example", "--dns-option", "ndots:3", "--shm-size", "8m"),
        *("--network-alias", "other", "--mac-address", "02:00:00:00:00:09", "--tmpfs", "/t:mode=700,size=1m"),
        *("-m", "64m", "--memory-swap", "100m", "busybox", "sh", "-c", FOREVER),
        check=True,
    )
    text, found, notes = generated(pods, "named")
    spec = found.spec
    assert [(each.ip, each.hostnames) for each in spec.hostAliases] == [("192.0.2.7", ("db", "cache"))]
    assert spec.dnsPolicy == "None" and spec.dnsConfig and spec.dnsConfig.searches == ("a.example",)
    said = [line.partition("a manifest has no word for ")[2] for line in notes.splitlines()]
    mount = "the option mode=700 of the mount at /t"
    assert said == ["--memory-swap", "--network-alias", "--mac-address", mount]
    pods.minirun("rm", "-f", "named", check=True)
    made = again(pods, text, "named-pod")
    shown = made.exec("sh", "-c", "cat /etc/hosts /etc/resolv.conf; df -m /dev/shm", container="named")
    assert "192.0.2.7\tdb\tcache" in shown
    assert "nameserver 192.0.2.53\nsearch a.example\noptions ndots:3\n" in shown
    assert shown.splitlines()[-1].split()[1] == "8"


def test_what_a_container_of_a_pod_cannot_say_is_noted(pods: Pods) -> None:
    """Of one that has joined it: the pod's words are for all."""
    pods.create(pod("web", app(FOREVER)))
    pods.minirun(
        *("run", "-d", "--pod", "web", "--name", "extra", "--stop-signal", "INT", "--group-add", "77"),
        *("-l", "own=1", "busybox", "sh", "-c", FOREVER),
        check=True,
    )
    _, _, notes = generated(pods, "web")
    flags = [line.partition("has no word for ")[2].split()[0] for line in notes.splitlines()]
    assert flags == ["--stop-signal", "--group-add", "--label"], notes


def test_what_is_not_there(pods: Pods) -> None:
    """In three lines."""
    refused = pods.minirun("pod", "generate", "nope")
    assert refused.returncode == 125 and "no such pod or container: nope" in refused.stderr
    assert len(refused.stderr.splitlines()) == 3


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("web", "web"),
        ("Web_1", "web-1"),
        ("_x_", "x"),
        ("a" * 80, "a" * 63),
        ("__", "container"),
        ("1.2", "1-2"),
    ],
)
def test_names_become_labels(name: str, wanted: str) -> None:
    """As Kubernetes wants them."""
    assert generate_container.label(name) == wanted


@pytest.mark.parametrize(
    "words, command, args",
    [
        (("entry", "cmd"), (), ()),
        (("entry", "other"), (), ("other",)),
        (("else",), ("else",), ()),
        (("entry",), ("entry",), ()),
        (("sh", "$(X)"), ("sh", "$$(X)"), ()),
    ],
)
def test_command_and_args(words: tuple[str, ...], command: tuple[str, ...], args: tuple[str, ...]) -> None:
    """Nothing is said that the image says."""
    from minirun.spec import Process, Spec

    image = Image(id="x", config=ImageConfig(entrypoint=("entry",), cmd=("cmd",)))
    assert generate_container._command(Spec(process=Process(args=words)), image) == (command, args)
