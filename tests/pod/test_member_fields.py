"""Fields of a container that no manifest can check by itself: groups that an image knows, whose stdin ends when."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Minirun
from tests.needs import needs
from tests.pod.living import Pods, app, pod, until

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
            "1000 3000 50000 4000 2000",
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


def attach(minirun: Minirun, name: str, text: str) -> subprocess.Popen[str]:
    """``pod attach`` with ``text`` to say."""
    client: subprocess.Popen[str] = minirun.popen(
        *("pod", "attach", name, "-c", "app"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
    """Without stdinOnce a client's end is nobody's end but its own."""
    container = app("read one; read two; echo $one, $two", stdin=True)
    living = pods.create(pod("twice", container, restartPolicy="Never"))
    for word in ("hello", "again"):
        with attach(pods.minirun, "twice", f"{word}\n") as client:
            assert client.stdin
            client.stdin.close()
            client.terminate() if word == "hello" else None
    until("it has ended", lambda: living.is_over)
    assert living.log() == ["hello, again"]
