"""``minirun pod debug``: an ephemeral container."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from typing import Any

import pytest

from minirun.pod import join, member, node
from minirun.pod.manifest.types import Container
from tests.needs import needs
from tests.patience import PATIENCE, until
from tests.pod.living import FOREVER, Living, Pods, app, inode, pod, server

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")


@pytest.fixture
def web(pods: Pods) -> Living:
    """A pod of two containers, the first of which answers on port 80."""
    return pods.create(pod("web", app(server("hello")), app(FOREVER, "other")))


def debug(web: Living, *words: str, check: bool = True, input: str = "") -> str:
    """What it says, attached."""
    return web.minirun("pod", "debug", "web", "-i", *words, check=check, input=input).stdout


def test_it_shares_the_pod_and_is_attached_to(web: Living) -> None:
    """From its first byte to its exit code."""
    assert debug(web, "--", "wget", "-qO-", "127.0.0.1") == "hello\n"
    assert debug(web, "--", "sh", input="hostname\n") == "web\n"
    assert web.minirun("pod", "debug", "web", "-i", "--", "sh", "-c", "exit 9").returncode == 9
    assert web.minirun("pod", "debug", "web", "-i", "--", "/no/such").returncode == 127


def test_the_target_shares_its_processes(web: Living) -> None:
    """Its files too, by /proc/1/root; without a target it is alone."""
    script = "cat /proc/1/comm; cat /proc/1/root/www/index.html"
    assert debug(web, "--target", "app", "--", "sh", "-c", script).split()[-1] == "hello"
    web.minirun("pod", "debug", "web", "-c", "look", "--target", "app", "--", "sleep", "1000", check=True)
    assert inode(web.pid("look"), "pid") == inode(web.pid("app"), "pid")
    web.minirun("pod", "debug", "web", "-c", "alone", "--", "sleep", "1000", check=True)
    assert inode(web.pid("alone"), "pid") not in (inode(web.pid("app"), "pid"), inode(web.pause, "pid"))


def test_detached_it_is_there_and_never_restarted(web: Living) -> None:
    """Without -i and -t the command comes back; what ends stays ended, under its name."""
    done = web.minirun("pod", "debug", "web", "--", "sh", "-c", "echo once; exit 1", check=True)
    assert not done.stdout and "is called debugger-" in done.stderr
    name = done.stderr.split()[-1]
    until("it has ended", lambda: web.run(name).state == "exited")
    assert web.log(name) == ["once"]
    assert not web.decision.needs_supervisor and web.run(name).restarts == 0
    shown = json.loads(web("inspect"))
    (status,) = shown["status"]["ephemeralContainerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 1
    assert web.status.phase == "Running"
    assert any(name in line for line in web.events)


def test_on_a_terminal(web: Living) -> None:
    """-it gives it one, of which it is the reader."""
    ours, theirs = pty.openpty()
    words = web.minirun.command("pod", "debug", "web", "-it", "--", "sh")
    pid = os.posix_spawn(
        words[0],
        words,
        web.minirun.environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, theirs, fd) for fd in (0, 1, 2)],
        setsid=True,
    )
    os.close(theirs)
    try:
        _until_said(ours, b"# ")
        os.write(ours, b"tty; exit 5\n")
        assert b"/dev/pts/0" in _until_said(ours, b"/dev/pts/0")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    finally:
        os.close(ours)


def _until_said(terminal: int, word: bytes) -> bytes:
    said = b""
    deadline = time.monotonic() + PATIENCE
    while word not in said:
        assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0], said
        said += os.read(terminal, 4096)
    return said


def test_the_pods_end_is_its_end(web: Living) -> None:
    """It does not keep a pod up, and goes with it."""
    web.minirun("pod", "debug", "web", "-c", "dbg", "--", "sleep", "1000", check=True)
    pid = web.pid("dbg")
    web("rm", "-f")
    assert not os.path.exists(f"/proc/{pid}")


REFUSED = (
    (("--target", "nope"), "the pod has no container 'nope'"),
    (("-c", "app"), "has a container 'app' already"),
    (("-c", "No_Name"), "No_Name"),
    (("--image", "nosuch"), "the image nosuch is not here"),
)


def test_what_cannot_be_is_said_in_three_lines(web: Living) -> None:
    """And nothing joins the pod."""
    for words, why in REFUSED:
        refused = web.minirun("pod", "debug", "web", *words, "--", "true")
        lines = refused.stderr.splitlines()[-3:]
        assert refused.returncode == 125 and why in refused.stderr, refused.stderr
        assert [line[:6] for line in lines] == ["miniru", "  why:", "  try:"], refused.stderr
    assert set(web.seen.containers) == {"app", "other"}


def test_a_name_is_used_once(web: Living) -> None:
    """The one that has it stays as it is."""
    web.minirun("pod", "debug", "web", "-c", "dbg", "--", "sleep", "1000", check=True)
    pid = web.pid("dbg")
    refused = web.minirun("pod", "debug", "web", "-c", "dbg", "--", "true")
    assert refused.returncode == 125 and "has a container 'dbg' already" in refused.stderr
    assert web.pid("dbg") == pid


def test_of_several_at_once_one_gets_the_name(web: Living) -> None:
    """And runs; the others end nothing of it, and leave nothing."""
    words = ("pod", "debug", "web", "-c", "dbg", "--", "sleep", "1000")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    racing = [web.minirun.popen(*words, **pipes) for _ in range(4)]
    said = [each.communicate(timeout=PATIENCE)[1] for each in racing]
    codes = [each.returncode for each in racing]
    assert sorted(codes) == [0, 125, 125, 125], said
    lost = [text for code, text in zip(codes, said, strict=True) if code]
    assert all("has a container" in text and "dbg" in text and "already" in text for text in lost), lost
    assert web.pid("dbg")
    names = [web.home.store.container(id).record().name for id in web.home.store.ids()]
    assert names.count("web_dbg") == 1


def test_one_that_is_being_made_is_left_alone(web: Living) -> None:
    """Its command is at work: it has the name, though the pod does not know of it yet."""
    host = join.host(web.home)
    container = Container(name="dbg", image="busybox", command=("sleep", "1000"))
    context = node.context_of(host.record)
    wish = member.Member(record=host.record, container=container, sandbox=host.sandbox, context=context)
    with member.prepared(web.home, wish) as made:
        refused = web.minirun("pod", "debug", "web", "-c", "dbg", "--", "true")
        assert refused.returncode == 125 and "has a container dbg already" in refused.stderr
        assert os.path.isdir(made.home.data)
        made.clear()
    assert debug(web, "-c", "dbg", "--", "echo", "free") == "free\n"


def test_a_target_has_to_run(pods: Pods) -> None:
    """There are no processes to be seen of one that has ended."""
    ends = pods.create(pod("ends", app(FOREVER), app("exit 0", "brief"), restartPolicy="Never"))
    until("it has ended", lambda: ends.run("brief").state == "exited")
    refused = ends.minirun("pod", "debug", "ends", "--target", "brief", "--", "true")
    assert refused.returncode == 125 and "it does not run" in refused.stderr
    ends("stop")
    refused = ends.minirun("pod", "debug", "ends", "--", "true")
    assert refused.returncode == 125 and "no container can join" in refused.stderr
