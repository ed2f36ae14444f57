"""`minirun` from end to end on a stock distribution's kernel, with pure cgroup v2.

Few commands, for each takes seconds in here, and many looks at what each of them
did. What single promises mean is in the tests elsewhere that are marked ``bed``.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from minirun.isolation.apparmor import DEFAULT
from minirun.linux import capability
from tests.conftest import Minirun
from tests.lifecycle import proc
from tests.lifecycle.terminal import Terminal
from tests.needs import needs

pytestmark = [needs("root", "overlay", "cgroup2-memory", "userns", "timens", "seccomp"), pytest.mark.bed]

CGROUPS = Path("/sys/fs/cgroup/minirun")


def events(id: str) -> dict[str, str]:
    """cgroup.events of a container."""
    lines = (CGROUPS / id / "cgroup.events").read_text().splitlines()
    return dict(line.split() for line in lines)


def test_a_whole_life(minirun: Minirun) -> None:
    script = "trap 'echo told; exit 7' TERM; echo begun; echo beside >&2; while :; do read x < /tmp/f; done"
    words = ["-d", "--name", "life", "-m", "64m", "--pids-limit", "20", "-v", "/data"]
    done = minirun(
        "run", *words, "busybox", "sh", "-c", f"mkfifo /tmp/f; echo x > /data/x; {script}", check=True
    )
    id = done.stdout.strip()
    assert events(id) == {"populated": "1", "frozen": "0"}
    assert (
        minirun("exec", "-w", "/data", "life", "cat", "x", "/proc/1/cgroup", check=True).stdout == "x\n0::/\n"
    )
    minirun("pause", "life", check=True)
    assert events(id)["frozen"] == "1"
    minirun("unpause", "life", check=True)
    assert events(id)["frozen"] == "0"
    minirun("stop", "life", check=True)
    assert minirun("logs", "life", check=True).stdout == "begun\ntold\n"
    assert minirun("wait", "life", check=True).stdout == "7\n"
    minirun("start", "life", check=True)
    minirun("kill", "life", check=True)
    assert minirun("wait", "life", check=True).stdout == "137\n"
    minirun("rm", "-v", "life", check=True)
    assert minirun("gc", check=True).stdout == ""
    assert not CGROUPS.exists()
    places = (minirun.root / "containers", minirun.root / "volumes", minirun.state / "containers")
    assert [path for place in places for path in place.iterdir()] == []


def test_all_promises_at_once(minirun: Minirun, tmp_path: Path) -> None:
    """An unprivileged user in a user namespace, over id-mapped layers, with all that goes with it."""
    (tmp_path / "word").write_text("host\n")
    tmp_path.chmod(0o755)
    flags = [
        *["--userns", "private", "--time-offset", "100h", "--hostname", "box", "--read-only", "--init"],
        *["--tmpfs", "/tmp:size=1m", "-v", f"{tmp_path}:/host:ro", "--sysctl", "kernel.msgmax=4096"],
        *[
            "--sysctl",
            "net.ipv4.ip_forward=1",
            "--cap-drop",
            "ALL",
            "--cap-add",
            "CHOWN",
            "--ulimit",
            "nofile=99",
        ],
        *["-u", "1000:1000", "-w", "/tmp", "--network", "none", "--group-add", "7"],
    ]
    script = """
        echo $(hostname) $(id -u) $(id -G) $(pwd) $(ulimit -n) $(cat /host/word)
        echo $(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward) $(cut -d. -f1 /proc/uptime)
        echo $(stat -c %u:%g /bin /bin/busybox) $(cat /proc/1/comm) $(cat /proc/self/attr/apparmor/current)
        for to in /x /tmp/x /host/x /proc/sys/kernel/msgmax; do echo x > $to && echo wrote $to; done 2>&1
        grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:|NSpid' /proc/self/status
        cat /proc/self/uid_map; df -k /tmp | tail -1; exit 42
    """
    done = minirun("run", "--rm", *flags, "busybox", "sh", "-c", script)
    assert done.returncode == 42, done.stderr
    first, second, third, *more = done.stdout.splitlines()
    assert first == "box 1000 1000 7 /tmp 99 host"
    assert second.split()[:2] == ["4096", "1"]
    assert abs(int(second.split()[2]) - time.clock_gettime(time.CLOCK_BOOTTIME) - 360_000) < 60
    assert third == f"0:0 0:0 minirun-init {DEFAULT} (enforce)"
    assert [line for line in more if line.startswith("wrote")] == ["wrote /tmp/x"]
    assert sum("Read-only file system" in line or "denied" in line for line in more) == 3
    status = proc.table("\n".join(more))
    only_chown = f"{capability.mask_of(('CAP_CHOWN',)):016x}"
    assert (status["CapEff"], status["CapBnd"]) == ("0" * 16, only_chown)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert any(line.split()[::2] == ["0", "65536"] for line in more)
    assert any(line.split()[:2] == ["tmpfs", "1024"] for line in more)


def test_a_terminal_and_the_hosts_kernel(minirun: Minirun) -> None:
    with Terminal(minirun, "run", "--rm", "-it", "--network", "none", "busybox", size=(33, 99)) as terminal:
        terminal.type(b"uname -r; stty size; tty; exit $((2+3))\r")
        terminal.see(re.escape(os.uname().release) + r"\s+33 99\s+/dev/pts/0\s")
        assert terminal.end() == 5


def test_what_the_doctor_says_of_this_kernel_is_true(minirun: Minirun) -> None:
    done = minirun("doctor", "--format", "json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 0, [row for row in rows.values() if row["status"] == "fail"]
    assert rows["cgroup layout"]["finding"] == "pure v2 at /sys/fs/cgroup"
    for controller in "memory cpu cpuset pids io devices freezer".split():
        row = rows[f"cgroup {controller}"]
        assert (row["status"], row["finding"].split()[0].rstrip(",")) == ("ok", "v2"), row
    for name in (
        "kernel",
        "root",
        "capabilities",
        "seccomp",
        "AppArmor",
        "overlay",
        "namespace user",
        "namespace time",
    ):
        assert rows[name]["status"] == "ok", rows[name]
    assert DEFAULT in rows["AppArmor"]["finding"]
    assert "apparmor" in rows["security modules"]["finding"].split(",")
