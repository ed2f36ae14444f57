"""What a pod uses of the store stays: images it would start from, volumes it claims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minirun.container.state import Store
from minirun.pod import state, uses
from minirun.pod.manifest.read import read
from minirun.spec import Mount
from tests.needs import needs
from tests.pod.living import FOREVER, Pods, app, pod


@needs("root", "overlay", "memory", "cpu", "pids")
def test_what_a_pod_needs_is_not_removed(pods: Pods) -> None:
    """The image of an app that waits, that of a volume, and a claim; until the pod is gone."""
    for name in ("waits:1", "volume:1"):
        pods.minirun("tag", "busybox", name, check=True)
    made = pods.create(
        pod(
            "web",
            app()
            | {"image": "waits:1", "volumeMounts": [{"name": "kept", "mountPath": "/kept", "subPath": "a"}]},
            initContainers=[app(FOREVER, "init")],
            volumes=[
                {"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}},
                {"name": "tools", "image": {"reference": "volume:1"}},
            ],
        )
    )

    def refused(*words: str) -> str:
        done = pods.minirun(*words)
        assert done.returncode == 125, words
        return str(done.stderr)

    for words in (("waits:1",), ("-f", "waits:1"), ("volume:1",), ("-f", "volume:1")):
        assert "pod web makes its containers" in refused("rmi", *words)
    assert "claimed by pod web" in refused("volume", "rm", "kept")
    listed: list[dict[str, Any]] = json.loads(pods.minirun("volume", "ls", "--format", "json").stdout)
    assert [one["pods"] for one in listed if one["name"] == "kept"] == [["web"]]
    layers = [Path(path).name for path, who in uses.layers(pods.store).items() if who == "pod/web"]
    assert layers and {path.name for path in Path(pods.store.root, "layers").iterdir()} >= set(layers[1:])

    made("stop", "-t", "0")
    assert "pod web" in refused("rmi", "waits:1")
    pods.minirun("rmi", "-f", "waits:1", check=True)  # nothing is made of it any more
    made("rm")
    pods.minirun("rmi", "volume:1", check=True)
    pods.minirun("volume", "rm", "kept", check=True)


def test_layers_of_a_pod_that_is_being_made_or_removed(tmp_path: Path) -> None:
    """No pod for anybody, and its volumes are mounted all the same: one with a record, one without."""
    store = Store(root=str(tmp_path / "root"), state=str(tmp_path / "state"))
    begun, gone = (state.Pods(store=store).home(f"{digit * 8}-2222-3333-4444-555555555555") for digit in "12")
    manifest = read(json.dumps(pod("begun", app())), "test").pods[0]
    for home in (begun, gone):
        Path(home.runtime, "volumes").mkdir(parents=True)
        Path(home.runtime, "volumes", "tools.layers").write_text(f"/layer/{home.uid[0]}\n/layer/both\n")
    Path(begun.data).mkdir(parents=True)
    begun.write_pending(state.PodRecord(uid=begun.uid, name="begun", pod=manifest))
    assert uses.layers(store) == {
        "/layer/1": "pod/begun",
        "/layer/2": f"pod/{gone.uid}",
        "/layer/both": f"pod/{gone.uid}",
    }


def test_layers_that_are_put_together_inside_a_container() -> None:
    """As volumes/mounting.py writes them, with colons and backslashes escaped."""
    options = ("ro", r"lowerdir=/a\\b:/c\:d:/e", "userxattr")
    mount = Mount(destination="/v", type="overlay", source="overlay", options=options)
    assert uses.layers_of(mount) == ["/a\\b", "/c:d", "/e"]
    assert uses.layers_of(Mount(destination="/v", type="bind", source="/s", options=("rbind",))) == []
