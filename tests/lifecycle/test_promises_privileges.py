"""What the program of a container may, as the kernel tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minirun.linux import capability
from tests.conftest import Minirun
from tests.lifecycle import proc
from tests.needs import needs

pytestmark = [pytest.mark.bed, pytest.mark.slow]


@needs("root", "overlay", "seccomp")
def test_root_by_default(minirun: Minirun) -> None:
    pid = proc.start(minirun, "plain", "--sysctl", "kernel.msgmax=4096", "--sysctl", "net.ipv4.ip_forward=1")
    seen = proc.status(pid)
    mask = f"{capability.mask_of(capability.DEFAULT):016x}"
    sets = {name: seen[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    assert (sets.pop("CapInh"), sets.pop("CapAmb")) == ("0" * 16, "0" * 16)
    assert set(sets.values()) == {mask}
    assert (seen["Uid"], seen["Gid"], seen["Umask"]) == ("0 0 0 0", "0 0 0 0", "0022")
    assert (seen["NoNewPrivs"], seen["Seccomp"], seen["Seccomp_filters"]) == ("1", "2", "1")
    # Signals: none blocked, none ignored (Python ignores SIGPIPE, and execve keeps what is ignored).
    assert {seen[name] for name in ("SigBlk", "SigIgn", "SigCgt", "ShdPnd")} == {"0" * 16}
    # A command by exec is confined as the program is.
    again = proc.table(minirun("exec", "plain", "cat", "/proc/self/status", check=True).stdout)
    for name in (
        *sets,
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "SigIgn",
        "Uid",
        "Gid",
        "Groups",
        "Umask",
    ):
        assert again[name] == seen[name], name
    denied = {
        "unshare -U true": "Operation not permitted",
        "unshare -m true": "Operation not permitted",
        "mount -t tmpfs x /tmp": "denied",
        "chroot / true; mknod /tmp/disk b 8 0 && head -c1 /tmp/disk": "Operation not permitted",
        "hostname other": "Operation not permitted",
        "echo 1 > /proc/sys/kernel/msgmax": "Read-only file system",
        "date -s 2000-01-01": "Operation not permitted",
    }
    for script, word in denied.items():
        assert word in "\n".join(proc.inside(minirun, "plain", script)), script
    # Sysctls hold inside and nowhere else.
    said = proc.inside(minirun, "plain", "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward")
    assert said == ["4096", "1"]
    assert Path("/proc/sys/kernel/msgmax").read_text().strip() != "4096"


@needs("root", "overlay")
def test_a_user_with_groups_and_limits(minirun: Minirun) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())
    flags = [
        *["-u", "nobody", "--group-add", "1234", "--umask", "027", "--oom-score-adj", str(max(own, 300))],
        *[
            "--ulimit",
            "nofile=100:200",
            "--ulimit",
            "core=0",
            "--cap-add",
            "NET_ADMIN",
            "--cap-drop",
            "chown",
        ],
    ]
    pid = proc.start(minirun, "limited", *flags)
    seen = proc.status(pid)
    assert (seen["Uid"], seen["Gid"]) == ("65534 65534 65534 65534", "65534 65534 65534 65534")
    assert "1234" in seen["Groups"].split()
    assert seen["Umask"] == "0027"
    wanted = {*capability.DEFAULT, "CAP_NET_ADMIN"} - {"CAP_CHOWN"}
    assert set(capability.names_of(int(seen["CapBnd"], 16))) == wanted
    assert {seen[name] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {"0" * 16}
    assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == max(own, 300)
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert limits["Max open files"] == ["100", "200"]
    assert limits["Max core file size"] == ["0", "0"]
    said = proc.inside(
        minirun, "limited", "id -u; umask; ulimit -n; ulimit -Hn; touch /bin/x; cat /etc/shadow"
    )
    assert said[:4] == ["65534", "0027", "100", "200"]
    assert all("Permission denied" in line or "No such file" in line for line in said[4:])
    assert "Permission denied" in said[4]


@needs("root", "overlay")
def test_privileged_and_unconfined(minirun: Minirun) -> None:
    seen = proc.status(proc.start(minirun, "mighty", "--privileged"))
    every = f"{capability.current_bounding():016x}"
    assert {seen[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {every}
    assert seen["Seccomp"] == "0"
    script = "mount -t tmpfs x /tmp && echo mounted; test -w /proc/sys/kernel/panic && echo w"
    assert proc.inside(minirun, "mighty", script) == ["mounted", "w"]
    flags = [
        "--security-opt",
        "no-new-privileges=false",
        "--security-opt",
        "seccomp=unconfined",
        "--cap-drop",
        "all",
    ]
    seen = proc.status(proc.start(minirun, "free", *flags))
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("0", "0")
    assert {seen[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}


@needs("root", "overlay", "seccomp")
def test_a_filter_from_a_file(minirun: Minirun, tmp_path: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
            {"names": ["sethostname"], "action": "SCMP_ACT_KILL_PROCESS"},
        ],
    }
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(profile))
    words = ["run", "--rm", "--network", "none", "--security-opt", f"seccomp={file}"]
    done = minirun(*words, "busybox", "mkdir", "/tmp/x")
    assert (done.returncode, "No space left on device" in done.stderr) == (1, True)
    assert minirun(*words, "busybox", "hostname", "x").returncode == 128 + 31  # SIGSYS
    assert minirun(*words, "busybox", "ls", "/").returncode == 0


@needs("root", "overlay")
@pytest.mark.parametrize("init", [[], ["--init"]])
def test_a_broken_pipe_ends_a_program(minirun: Minirun, init: list[str]) -> None:
    """As in a shell: with SIGPIPE ignored, `yes` would complain instead of dying quietly."""
    script = "{ yes; echo $? >&2; } | head -1"
    done = minirun("run", "--rm", "--network", "none", *init, "busybox", "sh", "-c", script)
    assert (done.stdout, done.stderr.strip()) == ("y\n", "141")
