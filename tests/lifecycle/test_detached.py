"""run -d, create, start, attach: containers that live without the command that made them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from minirun.container.locks import is_looked_after
from minirun.container.state import Store
from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE, until

pytestmark = needs("root", "overlay")


def test_detached_prints_the_id_and_nothing_else(minirun: Minirun) -> None:
    done = minirun(
        "run", "-d", "--network", "none", "--name", "box", "busybox", "sh", "-c", "echo out; exit 9"
    )
    assert (done.returncode, done.stderr) == (0, "")
    id = done.stdout.removesuffix("\n")
    assert len(id) == 64
    assert set(id) <= set("0123456789abcdef")
    assert minirun("wait", "box").stdout == "9\n"
    assert minirun("logs", id[:8]).stdout == "out\n"


def test_detached_with_rm_leaves_nothing(minirun: Minirun) -> None:
    before = shell.volumes(minirun)
    done = minirun("run", "-d", "--rm", "--network", "none", "-v", "/data", "busybox", "sleep", "1000")
    id = done.stdout.strip()
    minirun("kill", id, check=True)
    until("it is gone", lambda: shell.ids(minirun) == [])
    until("its files are gone", lambda: not _left(minirun, id))
    assert shell.volumes(minirun) == before


def _left(minirun: Minirun, id: str) -> list[Path]:
    return [place for place in (minirun.root, minirun.state) if (place / "containers" / id).exists()]


def test_create_then_start(minirun: Minirun) -> None:
    words = ["--network", "none", "--name", "box", "-e", "WORD=hi", "busybox"]
    id = minirun("create", *words, "sh", "-c", "echo $WORD; exit 5", check=True).stdout.strip()
    assert shell.state(minirun, "box") == "created"
    assert minirun("ps", "-q").stdout == ""
    assert minirun("logs", "box").stdout == ""
    assert minirun("start", "box").stdout == "box\n"
    assert minirun("wait", id).stdout == "5\n"
    assert minirun("logs", "box").stdout == "hi\n"


def test_start_attached_is_run_in_two_halves(minirun: Minirun) -> None:
    words = ["-i", "--network", "none", "--name", "box", "busybox", "sh", "-c", "cat; echo err >&2; exit 6"]
    minirun("create", *words, check=True)
    done = minirun("start", "-a", "-i", "box", input="to it\n")
    assert (done.returncode, done.stdout, done.stderr) == (6, "to it\n", "err\n")
    done = minirun("start", "-ai", "box", input="again\n")
    assert (done.returncode, done.stdout, done.stderr) == (6, "again\n", "err\n")


def test_a_restart_keeps_the_files_and_the_log(minirun: Minirun) -> None:
    script = "echo run >> /runs; cat /runs | wc -l; mkdir /tmp/d 2>/dev/null || exit 1"
    minirun("run", "--network", "none", "--name", "box", "busybox", "sh", "-c", script, check=True)
    first = json.loads(minirun("inspect", "box").stdout)[0]
    upper = Path(first["filesystem"]["upperdir"])
    assert (upper / "runs").read_text() == "run\n"
    done = minirun("start", "-a", "box")
    assert (done.returncode, done.stdout) == (1, "2\n")
    assert (upper / "runs").read_text() == "run\nrun\n"
    assert minirun("logs", "box").stdout == "1\n2\n"
    second = json.loads(minirun("inspect", "box").stdout)[0]
    assert [second[key] for key in ("id", "name", "created")] == [
        first[key] for key in ("id", "name", "created")
    ]
    assert second["state"]["exit"]["code"] == 1
    minirun("rm", "box", check=True)
    assert not upper.exists()


def test_start_refuses_what_runs_and_goes_on_with_the_others(minirun: Minirun) -> None:
    minirun("run", "-d", "--network", "none", "--name", "first", "busybox", "sleep", "1000", check=True)
    minirun("create", "--network", "none", "--name", "second", "busybox", "sleep", "1000", check=True)
    done = minirun("start", "first", "nobody", "second")
    assert (done.returncode, done.stdout) == (125, "second\n")
    assert "minirun: container first cannot be started\n  why: it is running" in done.stderr
    assert "minirun: no such container: nobody" in done.stderr
    both = minirun("start", "-a", "first", "second")
    assert (both.returncode, both.stdout) == (125, "")
    assert "--attach takes one container" in both.stderr


def test_attach_gives_the_streams_from_then_on(minirun: Minirun) -> None:
    script = "echo before; while read word; do echo got $word; echo err $word >&2; done; exit 8"
    words = ["-d", "-i", "--network", "none", "--name", "box", "busybox", "sh", "-c", script]
    minirun("run", *words, check=True)
    until("it says what is not for us", lambda: minirun("logs", "box").stdout == "before\n")
    process = shell.watched(minirun, "attach", "box", stdin=subprocess.PIPE)
    out, err = process.communicate(b"one\ntwo\n", timeout=PATIENCE)
    # The end of our stdin is the end of the program's: it was run with -i.
    assert (process.returncode, out, err) == (8, b"got one\ngot two\n", b"err one\nerr two\n")
    assert minirun("logs", "box").stdout == "before\ngot one\ngot two\n"


def test_attach_without_stdin_only_looks(minirun: Minirun) -> None:
    script = "while ! read -t 0.1 word; do echo tick; done; echo $word"
    minirun(
        "run", "-d", "-i", "--network", "none", "--name", "box", "busybox", "sh", "-c", script, check=True
    )
    looking = shell.watched(minirun, "attach", "--no-stdin", "box", stdin=subprocess.PIPE)
    assert shell.line(looking) == "tick"
    assert looking.stdin
    looking.stdin.write(b"not heard\n")
    looking.stdin.flush()
    done = minirun("attach", "box", input="heard\n")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "heard")
    out, _ = looking.communicate(timeout=PATIENCE)
    assert (looking.returncode, out.splitlines()[-1]) == (0, b"heard")


def test_attach_needs_a_container_that_runs(minirun: Minirun) -> None:
    minirun("create", "--network", "none", "--name", "box", "busybox", "sleep", "1000", check=True)
    for state in ("created", "paused", "stopped"):
        if state == "paused":
            minirun("start", "box", check=True)
            minirun("pause", "box", check=True)
        if state == "stopped":
            minirun("kill", "box", check=True)
            minirun("wait", "box", check=True)
        done = minirun("attach", "box")
        assert done.returncode == 125
        assert f"minirun: cannot attach to container box\n  why: it is {state}" in done.stderr


def test_a_rebooted_machine_still_has_its_containers(minirun: Minirun) -> None:
    """STATE is memory: after a reboot a container has its files, and its exit, and nothing else."""
    id = minirun(
        "run", "-d", "--network", "none", "--name", "box", "busybox", "sh", "-c", "echo x >> /f; cat /f"
    )
    minirun("wait", "box", check=True)
    home = Store(root=str(minirun.root), state=str(minirun.state)).container(id.stdout.strip())
    for rebooted, command in enumerate(["wait", "start", "logs", "rm"]):
        until("its monitor is gone", lambda: not is_looked_after(home))
        shutil.rmtree(home.runtime)
        done = minirun(command, *(["-a"] if command == "start" else []), "box")
        assert done.returncode == 0, done.stderr
        if rebooted == 1:
            assert done.stdout == "x\nx\n"
        elif command == "logs":
            assert done.stdout == "x\nx\nx\n"
        os.makedirs(home.runtime, exist_ok=True)
    os.rmdir(home.runtime)
    assert shell.ids(minirun) == []
