"""AppArmor: a profile by name and our own, as the kernel says it and as it bites.

A program start is slow in the test bed, so each container is asked many things at once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.isolation.apparmor import DEFAULT
from minirun.linux import apparmor
from tests.conftest import Minirun
from tests.lifecycle import proc
from tests.needs import needs

pytestmark = [needs("root", "overlay", "apparmor_parser"), pytest.mark.bed]

MINE, LENIENT = "minirun-test", "minirun-test-lenient"
PROFILES = f"""
profile {MINE} flags=(attach_disconnected, mediate_deleted) {{
  capability,
  network,
  file,
  deny /etc/secret r,
  deny /data/** w,
}}
profile {LENIENT} flags=(attach_disconnected, mediate_deleted, complain) {{
  capability,
  network,
  file,
  signal,
}}
"""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> Iterator[None]:
    """Two profiles that an administrator has loaded."""
    parser = apparmor.parser()
    subprocess.run([parser, "--replace", "--quiet"], input=PROFILES, text=True, check=True)
    yield
    subprocess.run([parser, "--remove"], input=PROFILES, text=True, check=True)


@pytest.fixture
def not_loaded() -> None:
    """The state after a boot: our own profile has to be loaded by the first container."""
    if DEFAULT in (apparmor.profiles() or {}):
        Path("/sys/kernel/security/apparmor/.remove").write_text(DEFAULT)


def confinement(pid: int) -> str:
    return Path(f"/proc/{pid}/attr/apparmor/current").read_text().strip()


CONFINEMENT = "cat /proc/self/attr/apparmor/current"


def test_a_named_profile_confines_the_program_and_what_joins_it(minirun: Minirun) -> None:
    script = "echo word > /etc/secret; exec sleep 1000"
    flags = ["--security-opt", f"apparmor={MINE}", "--cap-add", "SYS_ADMIN", "--tmpfs", "/data", "--init"]
    pid = proc.start(minirun, "mine", *flags, command=("sh", "-c", script))
    assert confinement(pid) == f"{MINE} (enforce)"
    look = [CONFINEMENT, "cat /etc/secret", "echo x > /data/x", "mount -t tmpfs x /tmp", "cat /etc/passwd"]
    said = proc.inside(minirun, "mine", "; ".join(look))
    assert said[0] == f"{MINE} (enforce)"
    assert "can't open '/etc/secret': Permission denied" in said[1]
    assert "can't create /data/x: Permission denied" in said[2]
    assert "/tmp failed: Permission denied" in said[3]
    assert said[4].startswith("root:")
    # A profile without a rule for signals takes none, not even the host's; cgroup.kill asks no profile.
    refused = minirun("kill", "-s", "TERM", "mine")
    assert refused.returncode == 125
    assert f"AppArmor profile '{MINE}' does not let it receive that" in refused.stderr
    minirun("kill", "mine", check=True)
    assert minirun("wait", "mine", check=True).stdout.strip() == "137"


def test_the_default_is_loaded_once_and_bites_where_capabilities_would_not(
    minirun: Minirun, not_loaded: None
) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    flags = ["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "systempaths=unconfined"]
    script = [
        CONFINEMENT,
        "echo x > /proc/sys/kernel/core_pattern",
        "mount -t tmpfs x /tmp",
        "mount -o remount,rw /sys",
        "umount /dev/shm",
        "head -c1 /proc/kcore",
        "echo b > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward",
        "echo 500 > /proc/self/oom_score_adj && cat /proc/self/oom_score_adj",
        "cat /proc/sys/kernel/core_pattern /proc/mounts > /tmp/x && echo read",
        "sleep 1000 & kill $! && echo killed",
    ]
    words = ["run", "--rm", "--trace", "--network", "none", *flags, "busybox"]
    done = minirun(*words, "sh", "-c", "; ".join(script), check=True)
    assert done.stdout.splitlines() == [f"{DEFAULT} (enforce)", "1", "500", "read", "killed"], done.stderr
    denied = [
        line for line in done.stderr.splitlines() if "denied" in line.lower() or "not permitted" in line
    ]
    assert len(denied) == 6, done.stderr
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    # The first container loads it, the next ones find it there.
    again = minirun(*words, "true", check=True)
    for trace, outcome in ((done.stderr, "0"), (again.stderr, "skipped")):
        (load,) = (line for line in trace.splitlines() if "apparmor_parser" in line)
        assert f"= {outcome}" in " ".join(load.split()), load
    assert f'"{DEFAULT} (enforce)"' in again.stderr


def test_who_is_unconfined_and_who_is_only_watched(minirun: Minirun) -> None:
    lenient = ["--security-opt", f"apparmor={LENIENT}", "--cap-add", "SYS_ADMIN"]
    for flags, expected in (
        (["--security-opt", "apparmor=unconfined"], ["unconfined"]),
        (["--privileged"], ["unconfined", "mounted"]),
        (lenient, [f"{LENIENT} (complain)", "mounted"]),  # it does not grant that: it only tells
    ):
        script = f"{CONFINEMENT}; mount -t tmpfs x /tmp && echo mounted; true"
        done = minirun("run", "--rm", "--network", "none", *flags, "busybox", "sh", "-c", script, check=True)
        assert done.stdout.splitlines() == expected, done.stderr


def test_a_profile_that_is_not_loaded_is_an_error_before_anything_starts(minirun: Minirun) -> None:
    done = minirun(
        "run", "--network", "none", "--security-opt", "apparmor=no-such-profile", "busybox", "true"
    )
    assert done.returncode == 125
    what, why, remedy = done.stderr.splitlines()
    assert "'no-such-profile' is not loaded" in what
    assert MINE in why
    assert "apparmor_parser -r" in remedy
    assert minirun("ps", "-aq", check=True).stdout == ""
