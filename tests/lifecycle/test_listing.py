"""ps, inspect, wait: what is told of containers, compared with what the kernel says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Minirun
from tests.lifecycle import proc, shell
from tests.needs import needs
from tests.patience import PATIENCE

pytestmark = needs("root", "overlay")


def _inspected(minirun: Minirun, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(minirun("inspect", name, check=True).stdout)
    return found[0]


@pytest.fixture
def four(minirun: Minirun) -> dict[str, str]:
    """A container in each state, oldest first: name -> id."""
    made = {}
    for name in ("made", "up", "held", "ended"):
        command = "exit 4" if name == "ended" else "sleep 1000"
        verb = ["create"] if name == "made" else ["run", "-d"]
        words = [
            *verb,
            "--network",
            "none",
            "--name",
            name,
            "-l",
            f"is={name}",
            "busybox",
            "sh",
            "-c",
            command,
        ]
        made[name] = minirun(*words, check=True).stdout.strip()
    minirun("pause", "held", check=True)
    minirun("wait", "ended", check=True)
    return made


def test_ps(minirun: Minirun, four: dict[str, str]) -> None:
    short = {name: id[:12] for name, id in four.items()}
    assert minirun("ps", "-q").stdout.split() == [short["held"], short["up"]]
    assert minirun("ps", "-aq").stdout.split() == [short[name] for name in reversed(four)]
    assert minirun("ps", "-aq", "--no-trunc").stdout.split() == list(reversed(four.values()))
    header, *rows = minirun("ps", "-a").stdout.splitlines()
    assert header.split("   ")[0] == "CONTAINER ID"
    assert [row.split()[-1] for row in rows] == list(reversed(four))
    statuses = [
        r"Exited \(4\) .* ago",
        r"Up .* \(paused\)",
        r"Up (less than a second|\d+ seconds?)",
        "Created",
    ]
    shown = minirun("ps", "-a", "--format", "{{.Status}}").stdout.splitlines()
    assert [bool(re.fullmatch(pattern, text)) for pattern, text in zip(statuses, shown, strict=True)] == [
        True
    ] * 4


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["status=running"], ["up"]),
        (["status=paused"], ["held"]),
        (["status=exited"], ["ended"]),
        (["status=created"], ["made"]),
        (["label=is"], ["held", "up"]),
        (["label=is=held"], ["held"]),
        (["label=is=held", "status=running"], []),
        (["name=e"], ["held"]),
    ],
)
def test_filters(minirun: Minirun, four: dict[str, str], filters: list[str], names: list[str]) -> None:
    words = [word for text in filters for word in ("--filter", text)]
    assert minirun("ps", *words, "--format", "{{.Names}}", check=True).stdout.split() == names


def test_ps_for_programs(minirun: Minirun, four: dict[str, str]) -> None:
    rows = {row["names"]: row for row in json.loads(minirun("ps", "-a", "--format", "json").stdout)}
    assert {name: row["id"] for name, row in rows.items()} == four
    assert rows["up"]["command"] == ["sh", "-c", "sleep 1000"]
    assert Path(f"/proc/{rows['up']['pid']}/cmdline").read_bytes() == b"sleep\0001000\0"  # what sh became
    assert (rows["ended"]["pid"], rows["ended"]["state"]) == (0, "stopped")
    assert rows["held"]["labels"] == {"is": "held"}
    minirun("rm", "-f", *four, check=True)
    assert json.loads(minirun("ps", "-a", "--format", "json").stdout) == []
    assert minirun("ps", "-aq").stdout == ""


def test_inspect_says_what_the_kernel_says(minirun: Minirun, tmp_path: Path) -> None:
    flags = [
        "-m",
        "64m",
        "--pids-limit",
        "50",
        "--cpus",
        "0.5",
        "-v",
        f"{tmp_path}:/data:ro",
        "--tmpfs",
        "/scratch",
    ]
    pid = proc.start(minirun, "box", *flags, "-l", "a=b", "--stop-signal", "HUP", "--stop-timeout", "3")
    told = _inspected(minirun, "box")
    assert (told["state"]["status"], told["state"]["pid"]) == ("running", pid)
    assert proc.status(pid)["PPid"] == str(told["state"]["monitor_pid"])
    kinds = {"mnt": "mount", "net": "network"}
    host = proc.namespaces()
    for kind, inode in proc.namespaces(pid).items():
        expected = {"inode": inode, "shared_with_host": inode == host[kind]}
        assert told["namespaces"].get(kind, told["namespaces"].get(kinds.get(kind, ""))) == expected
    places = set(proc.groups(pid).values())
    assert told["cgroups"]["directories"]
    for directory in told["cgroups"]["directories"]:
        assert directory in places
        assert str(pid) in Path(directory, "cgroup.procs").read_text().split()
    assert told["cgroups"]["processes"] == [pid]
    seen = proc.mounts(pid)
    assert {mount["target"] for mount in told["mounts"]} == set(seen)
    assert next(m for m in told["mounts"] if m["target"] == "/data")["options"].startswith("ro")
    for layer in [*told["filesystem"]["layers"], told["filesystem"]["upperdir"]]:
        assert os.path.isdir(layer)
    assert told["privileges"]["CapEff"] == proc.status(pid)["CapEff"]
    assert (told["labels"], told["stop_signal"], told["stop_timeout_seconds"]) == ({"a": "b"}, 1, 3)
    assert os.path.exists(told["paths"]["log"]) or minirun("logs", "box").stdout == ""


def test_inspect_shows_limits_by_their_file(minirun: Minirun) -> None:
    proc.start(minirun, "box", "-m", "64m", "--pids-limit", "50")
    limits = _inspected(minirun, "box")["cgroups"]["limits"]
    assert {str(64 << 20), "50"} <= set(re.findall(r"\d+", json.dumps(limits)))


def test_inspect_of_one_that_has_ended(minirun: Minirun, four: dict[str, str]) -> None:
    told = _inspected(minirun, four["ended"][:6])
    assert (told["state"]["status"], told["state"]["pid"]) == ("stopped", 0)
    ended = told["state"]["exit"]
    assert (ended["code"], ended["signal"], ended["oom_killed"], ended["error"]) == (4, 0, False, None)
    assert told["created"] < told["state"]["started"] < ended["finished"]
    assert (told["namespaces"], told["mounts"], told["privileges"]) == ({}, [], {})
    assert _inspected(minirun, "busybox")["id"].startswith(
        "sha256:"
    )  # an image has no such name among containers


def test_wait(minirun: Minirun) -> None:
    for name, script in (("quick", "exit 3"), ("slow", "read word; exit 5")):
        words = ["-d", "-i", "--network", "none", "--name", name, "busybox", "sh", "-c", script]
        minirun("run", *words, check=True)
    waiting = shell.watched(minirun, "wait", "quick", "slow", "quick")
    assert shell.line(waiting) == "3"
    assert waiting.poll() is None
    minirun("attach", "slow", input="go\n")
    assert waiting.communicate(timeout=PATIENCE) == (b"5\n3\n", b"")
    assert waiting.returncode == 0
    several = minirun("wait", "nobody", "slow")
    assert (several.returncode, several.stdout) == (125, "5\n")
    assert several.stderr.startswith("minirun: no such container: nobody")


def test_wait_of_many_at_once_for_one(minirun: Minirun) -> None:
    """More than the monitor takes as clients: each gets the same answer."""
    script = "read first; echo $first; read word; exit 6"
    minirun("run", "-d", "-i", "--network", "none", "--name", "box", "busybox", "sh", "-c", script)
    attached = shell.watched(minirun, "attach", "box", stdin=subprocess.PIPE)  # while there is a place
    assert attached.stdin
    attached.stdin.write(b"here\n")
    assert shell.line(attached) == "here"
    waiting = [shell.watched(minirun, "wait", "box") for _ in range(20)]
    attached.stdin.write(b"go\n")
    assert attached.wait(PATIENCE) == 6
    assert {process.communicate(timeout=PATIENCE)[0] for process in waiting} == {b"6\n"}


def test_names_and_ids(minirun: Minirun, four: dict[str, str]) -> None:
    for wanted in (four["up"], four["up"][:12], four["up"][:5], "up"):
        assert _inspected(minirun, wanted)["name"] == "up"
    for wanted in ("nobody", "u", "", four["up"] + "0", "../up", "up/"):
        done = minirun("inspect", wanted)
        assert done.returncode == 125, wanted
    taken = minirun("run", "--network", "none", "--name", "up", "busybox", "true")
    assert (taken.returncode, taken.stdout) == (125, "")
    assert taken.stderr.startswith(
        f"minirun: the name 'up' is in use\n  why: by container {four['up'][:12]}\n  try: "
    )
    minirun("rm", "-f", "up", check=True)
    assert minirun("run", "--network", "none", "--name", "up", "busybox", "true").returncode == 0


def test_every_command_says_that_it_does_not_know_a_name(minirun: Minirun) -> None:
    commands = "start stop kill rm logs wait attach pause unpause inspect".split()
    for words in (*([command, "nobody"] for command in commands), ["exec", "nobody", "true"]):
        done = minirun(*words)
        assert (done.returncode, done.stdout.strip("[]\n")) == (125, ""), words
        assert re.match(
            r"minirun: no such container( or image)?: nobody\n  why: .*\n  try: .*\n$", done.stderr
        )


def test_a_reader_of_ps_that_leaves(minirun: Minirun, four: dict[str, str]) -> None:
    command = " ".join(minirun.command("ps", "-a"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        env=minirun.environment,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout in ("141\n", "0\n")
