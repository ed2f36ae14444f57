"""What no manifest can check by itself: groups that an image knows, when stdin ends, probes that go on."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minirun.pod import supervise
from tests.conftest import Minirun
from tests.needs import needs
from tests.patience import until
from tests.pod.living import Pods, app, pod

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

#: As in the documentation of supplementalGroupsPolicy: the image makes alice a member of a group of its own.
PASSWD = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n"
GROUP = "root:x:0:\nalice:x:1000:\nof-the-image:x:50000:alice\n"
IMAGE = "with-alice"


@pytest.fixture(scope="module")
def with_alice(
    loaded_minirun: Minirun, busybox_rootfs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An image with a user who is in a group."""
    archive = tmp_path_factory.mktemp("image") / "alice.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(busybox_rootfs, ".", filter=lambda each: None if each.name in OWN else each)
        for name, text in OWN.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    loaded_minirun("import", str(archive), IMAGE, check=True)
    yield IMAGE
    loaded_minirun("rmi", IMAGE, check=True)


OWN = {"./etc/passwd": PASSWD, "./etc/group": GROUP}


@pytest.mark.parametrize(
    ("security", "ids"),
    [
        ({"runAsUser": 1000}, "1000 1000 50000"),
        ({"runAsUser": 1000, "runAsGroup": 3000}, "1000 3000 50000"),
        (
            {"runAsUser": 1000, "runAsGroup": 3000, "supplementalGroups": [4000], "fsGroup": 2000},
            "1000 3000 2000 4000 50000",
        ),
        ({"runAsUser": 1000, "supplementalGroupsPolicy": "Merge"}, "1000 1000 50000"),
        (
            {
                "runAsUser": 1000,
                "runAsGroup": 3000,
                "supplementalGroups": [4000],
                "supplementalGroupsPolicy": "Strict",
            },
            "1000 3000 4000",
        ),
        ({"runAsUser": 1000, "supplementalGroupsPolicy": "Strict"}, "1000 1000"),
        ({"runAsUser": 77}, "77 0"),
        ({"supplementalGroupsPolicy": "Strict"}, "0 0"),
    ],
)
def test_groups_are_the_pods_and_with_merge_the_images(
    pods: Pods, with_alice: str, security: dict[str, Any], ids: str
) -> None:
    """The user, its group, the others; what the image says of the user counts unless the policy is Strict."""
    script = "echo $(id -u) $(id -G)"
    manifest = pod("groups", app(script, image=with_alice), securityContext=security, restartPolicy="Never")
    living = pods.create(manifest)
    until("it has ended", lambda: living.is_over)
    assert living.log() == [ids]


def test_owners_of_the_hosts_files_are_seen_through_the_pods_map(pods: Pods, tmp_path: Path) -> None:
    """hostUsers: false: a directory and a file of the host, part of a claim, each as it is on the disk."""
    host = tmp_path / "host"
    host.mkdir()
    (host / "file").touch()
    os.chown(host / "file", 1000, 2000)
    volumes = [
        {"name": "tree", "hostPath": {"path": str(host)}},
        {"name": "file", "hostPath": {"path": str(host / "file"), "type": "File"}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "of-users"}},
    ]
    mounts = [
        {"name": "tree", "mountPath": "/tree"},
        {"name": "file", "mountPath": "/file", "readOnly": True},
        {"name": "claim", "mountPath": "/part", "subPath": "part"},
    ]
    script = (
        "touch /tree/new /part/new; stat -c %u:%g /tree /tree/file /file /part/new; touch /file || echo ro"
    )
    manifest = pod(
        "users",
        app(script, volumeMounts=mounts),
        volumes=volumes,
        hostUsers=False,
        restartPolicy="Never",
    )
    living = pods.create(manifest)
    until("it has ended", lambda: living.is_over)
    said = [line for line in living.log() if not line.startswith("touch: ")]
    assert said == ["0:0", "1000:2000", "1000:2000", "0:0", "ro"]
    made = os.stat(host / "new")
    assert (made.st_uid, made.st_gid) == (0, 0)
    pods.minirun("pod", "rm", "users", check=True)
    pods.minirun("volume", "rm", "of-users", check=True)


def attach(minirun: Minirun, name: str, text: str) -> subprocess.Popen[str]:
    """``pod attach`` with ``text`` to say."""
    client: subprocess.Popen[str] = minirun.popen(
        *("pod", "attach", "-i", name, "-c", "app"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert client.stdin
    client.stdin.write(text)
    client.stdin.flush()
    return client


def test_stdin_once_ends_with_its_first_client(pods: Pods) -> None:
    """Empty until one comes; when that one goes, the program reads the end."""
    container = app("cat; echo the end", stdin=True, stdinOnce=True)
    living = pods.create(pod("once", container, restartPolicy="Never"))
    with attach(pods.minirun, "once", "hello\n") as client:
        until("it has heard", lambda: "hello" in living.log())
        assert living.phase == "Running" and client.stdin
        client.stdin.close()
    until("it has ended", lambda: living.is_over)
    assert living.log() == ["hello", "the end"]


def test_stdin_stays_open_for_the_next_client(pods: Pods) -> None:
    """Without stdinOnce the end of a client is nobody's but its own."""
    container = app("read one; echo $one; read two; echo $two", stdin=True)
    living = pods.create(pod("twice", container, restartPolicy="Never"))
    with attach(pods.minirun, "twice", "hello\n") as client:
        until("it has heard", lambda: living.log() == ["hello"])
        client.kill()
    with attach(pods.minirun, "twice", "again\n"):
        until("it has ended", lambda: living.is_over)
    assert living.log() == ["hello", "again"] and living.phase == "Succeeded"


def test_a_new_supervisor_goes_on_counting(pods: Pods) -> None:
    """The one before was killed: who was ready stays ready, and is not asked before it is due."""
    probe = {"exec": {"command": ["sh", "-c", "echo asked >>/proc/1/fd/1"]}, "periodSeconds": 1000}
    living = pods.create(pod("kept", app(readinessProbe=probe)))
    until("it is ready", lambda: living.condition("Ready") == "True")
    asked = living.log()
    for pid in living.supervisors():
        os.kill(pid, signal.SIGKILL)
    until("nobody looks after it", lambda: not living.supervisors())
    supervise.tend(living.home, lambda *_: True)
    assert living.condition("Ready") == "True" and living.log() == asked
