"""``minirun pod explain``: the plans of a pod, and what it differs in from a container."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from minirun.container.state import Store
from minirun.errors import InvalidInput
from minirun.image import store as images
from minirun.image.config import Image, ImageConfig
from minirun.linux import trial
from minirun.pod.explain import parts
from minirun.pod.manifest import read
from minirun.pod.member import ErrImageNeverPull
from tests.needs import needs
from tests.pod.living import Pods, app, data, pod

WEB = pod(
    "web",
    app(name="app", volumeMounts=[{"name": "words", "mountPath": "/words", "subPath": "one"}]),
    app(name="log"),
    initContainers=[app(name="first")],
    volumes=[{"name": "words", "configMap": {"name": "words"}}],
)
DOCUMENTS = (data("ConfigMap", "words", {"one": "1"}), WEB)


@pytest.fixture
def busybox(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image, as if it were in the store."""
    image = Image(id="sha256:0", layers=(), config=ImageConfig(cmd=("sh",)))
    monkeypatch.setattr(images, "resolve", lambda root, name: image)


def explained(*documents: dict[str, Any]) -> list[Any]:
    """The parts of a file; the store is where nothing can be made, not even a compiled filter."""
    text = "\n---\n".join(map(json.dumps, documents))
    return list(
        parts(Store(root="/proc/nowhere/store", state="/proc/nowhere/state"), read.read(text, "web.yaml"))
    )


def calls(part: Any) -> list[str]:
    """What would be called, in order."""
    return [str(call) for step in part.steps for call in step.calls]


def test_the_parts_in_the_order_of_their_making(busybox: None) -> None:
    """Group, sandbox, volumes, init containers, containers."""
    found = explained(*DOCUMENTS)
    assert [(part.kind, part.name) for part in found] == [
        ("group", ""),
        ("sandbox", ""),
        ("volumes", ""),
        ("init container", "first"),
        ("container", "app"),
        ("container", "log"),
    ]
    group, sandbox, volumes, first, with_volume, _ = found
    assert any("kubepods/besteffort/podUID" in call for call in calls(group))
    clone = next(call for call in calls(sandbox) if call.startswith("clone3"))
    for flag in ("NEWNET", "NEWIPC", "NEWUTS", "NEWPID"):
        assert flag in clone
    assert any("/proc/nowhere/store/pods/UID/volumes/words" in call for call in calls(volumes))
    assert any(call.startswith("execve") and "/pause" in call for call in calls(sandbox))
    joined = [call for call in calls(first) if call.startswith("setns")]
    # Three to stay in; and a visit to where /dev/shm is mounted, with the way back.
    *stays, visit, back = joined
    assert {call.split("/ns/")[1].split('"')[0] for call in stays} == {"net", "ipc", "uts"}
    assert all("/proc/SANDBOX/" in call for call in stays)
    assert visit == 'setns("/proc/SANDBOX/ns/mnt", CLONE_NEWNS)' and back.endswith(", CLONE_NEWNS)")
    assert any("openat2" in call and '"one"' in call for call in calls(with_volume))
    assert not any("openat2" in call and '"one"' in call for call in calls(first))


@pytest.mark.parametrize(
    "spec, kind, whose",
    [
        ({}, "pid", "new"),
        ({}, "network", "SANDBOX"),
        ({}, "user", "host"),
        ({"shareProcessNamespace": True}, "pid", "SANDBOX"),
        ({"hostPID": True}, "pid", "host"),
        ({"hostIPC": True}, "ipc", "host"),
        ({"hostUsers": False}, "user", "SANDBOX"),
    ],
)
def test_whose_each_namespace_is(busybox: None, spec: dict[str, Any], kind: str, whose: str) -> None:
    """As the manifest has it."""
    assert explained(pod("web", app(), **spec))[-1].namespaces[kind] == whose


def test_every_pod_of_a_file(busybox: None) -> None:
    """Each with its own parts."""
    found = explained(pod("one", app()), pod("two", app()))
    assert [(part.pod, part.kind) for part in found if part.kind != "group"] == [
        ("one", "sandbox"),
        ("one", "container"),
        ("two", "sandbox"),
        ("two", "container"),
    ]


def test_what_is_not_here_is_said() -> None:
    """An image; a manifest that is none."""
    with pytest.raises(ErrImageNeverPull, match="busybox is not here"):
        explained(pod("web", app()))
    with pytest.raises(InvalidInput, match="not a valid manifest"):
        explained(pod("web", {**app(), "no": 1}))


def test_no_root_is_needed(busybox: None) -> None:
    """A user whom nothing belongs to gets the same plans."""

    def steps() -> int:
        return sum(len(part.steps) for part in explained(*DOCUMENTS))

    def as_nobody() -> list[int]:
        ours = steps()  # what it imports may be out of a plain user's reach
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return [ours, steps()]

    if os.geteuid():
        pytest.skip("this machine lacks: root, to become somebody else")
    ours, nobodys = trial.in_child(as_nobody)
    assert ours == nobodys > 0


@needs("root", "overlay")
def test_the_command(pods: Pods, tmp_path: Path) -> None:
    """For people and for programs; and nothing is taken."""
    file = tmp_path / "web.yaml"
    file.write_text("\n---\n".join(map(json.dumps, DOCUMENTS)))
    before = {str(path) for top in (pods.store.root, pods.store.state) for path in Path(top).rglob("*")}
    shown = pods.minirun("pod", "explain", str(file), check=True).stdout
    assert "--- pod web: its cgroup" in shown and "--- pod web: container app" in shown
    assert "and none was made" in shown and "0" * 64 not in shown
    found = json.loads(pods.minirun("pod", "explain", "--json", str(file), check=True).stdout)
    assert [part["part"] for part in found][:2] == ["group", "sandbox"]
    assert found[-1]["namespaces"]["network"] == "SANDBOX"
    assert all(step["why"] for part in found for step in part["steps"])
    after = {str(path) for top in (pods.store.root, pods.store.state) for path in Path(top).rglob("*")}
    # A filter that was compiled is kept for the next one.
    assert {path for path in after - before if "/root/seccomp" not in path} == set()


@needs("root", "overlay")
def test_the_difference_to_a_container(pods: Pods) -> None:
    """setns instead of new namespaces, and no network of its own; the pod's files besides."""
    text = "\n---\n".join(map(json.dumps, DOCUMENTS))
    shown = pods.minirun("pod", "explain", "--diff", "-", input=text, check=True).stdout
    assert "network   a new one                the sandbox's (setns)" in shown
    assert "pid       a new one                a new one" in shown
    json_text = pods.minirun("pod", "explain", "--diff", "--json", "-", input=text, check=True).stdout
    changes = next(part for part in json.loads(json_text) if part["name"] == "app")["changes"]

    def of(kind: str, side: str) -> list[str]:
        return [call["call"] for one in changes if one["change"] == kind for call in one[side]["calls"]]

    joined = {call.split('"')[1] for call in of("added", "after") if call.startswith('setns("')}
    assert joined == {f"/proc/SANDBOX/ns/{kind}" for kind in ("ipc", "uts", "net", "mnt")}
    assert any("RTM_NEWLINK" in call for call in of("removed", "before"))
    assert not any("RTM_NEWLINK" in call for call in of("added", "after"))
    clones = [(one["before"], one["after"]) for one in changes if one["change"] == "changed"]
    texts = [(json.dumps(old), json.dumps(new)) for old, new in clones]
    assert any("CLONE_NEWNET" in old and "CLONE_NEWNET" not in new for old, new in texts)


@needs("root", "overlay")
def test_lenient_and_strict(pods: Pods) -> None:
    """As create: an unknown field is refused, or warned of."""
    text = json.dumps(pod("web", {**app(), "nosuchfield": 1}))
    refused = pods.minirun("pod", "explain", "-", input=text)
    assert refused.returncode == 125 and "nosuchfield" in refused.stderr
    warned = pods.minirun("pod", "explain", "--lenient", "-", input=text, check=True)
    assert "warning: " in warned.stderr and "container app" in warned.stdout
