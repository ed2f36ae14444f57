"""The eight namespaces of a container, seen from the host: new, shared, or the host's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import proc
from tests.needs import needs

pytestmark = [pytest.mark.bed, pytest.mark.slow]


@needs("root", "overlay")
def test_by_default_six_are_new(minirun: Minirun) -> None:
    pid = proc.start(minirun, "plain", command=("sh", "-c", "mount -t tmpfs x /tmp; exec sleep 1000"))
    host, own = proc.namespaces(), proc.namespaces(pid)
    assert {kind for kind in proc.KINDS if own[kind] == host[kind]} == {"user", "time"}
    assert proc.status(pid)["NSpid"] == f"{pid} 1"  # it is 1 in its namespace
    (id,) = minirun("ps", "-q", "--no-trunc", check=True).stdout.split()
    said = proc.inside(minirun, "plain", "hostname; echo $$; ls /sys/class/net; cat /proc/self/cgroup; ps")
    assert said[0] == id[:12]
    assert int(said[1]) < 50
    assert said[2] == "lo"
    assert "0::/" in said  # its own cgroup is the root of what it sees
    assert not any(id in line for line in said)
    assert any(line.split()[:1] == ["1"] and "sleep 1000" in line for line in said)
    # Nothing that it mounted is mounted here, and lo is up where it is.
    assert not any(id in line for line in Path("/proc/self/mountinfo").read_text().splitlines())
    lo = Path(f"/proc/{pid}/net/fib_trie").read_text()
    assert "127.0.0.1" in lo
    # Two containers share none of these.
    other = proc.namespaces(proc.start(minirun, "another"))
    assert {kind for kind in proc.KINDS if own[kind] == other[kind]} == {"user", "time"}


@needs("root", "overlay", "userns", "timens")
def test_all_eight_can_be_new(minirun: Minirun) -> None:
    names = ("--hostname", "box", "--domainname", "example")
    pid = proc.start(minirun, "own", "--userns", "private", "--time-offset", "100h", *names)
    host, own = proc.namespaces(), proc.namespaces(pid)
    assert {kind for kind in proc.KINDS if own[kind] == host[kind]} == set()
    said = proc.inside(minirun, "own", "hostname; cat /proc/sys/kernel/domainname; id -u; stat -c %u /bin")
    assert said == ["box", "example", "0", "0"]
    # Root inside is nobody outside, and owns the image's files all the same.
    inner, outer, size = map(int, Path(f"/proc/{pid}/uid_map").read_text().split())
    assert (inner, size) == (0, 65536)
    assert outer >= 65536
    assert proc.status(pid)["Uid"] == " ".join([str(outer)] * 4)
    (uptime,) = proc.inside(minirun, "own", "cut -d. -f1 /proc/uptime")
    shifted = int(uptime) - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert abs(shifted - 360_000) < 60


@needs("root", "overlay")
def test_the_hosts_can_be_shared(minirun: Minirun) -> None:
    flags = [f"--{kind}=host" for kind in ("ipc", "uts", "pid", "cgroupns", "network", "userns", "time")]
    pid = proc.start(minirun, "open", *flags)
    host, own = proc.namespaces(), proc.namespaces(pid)
    assert {kind for kind in proc.KINDS if own[kind] != host[kind]} == {"mnt"}
    assert proc.inside(minirun, "open", f"cat /proc/{pid}/comm") == ["sleep"]
    assert Path(f"/proc/{pid}/root/etc").stat().st_ino != Path("/etc").stat().st_ino


@needs("root", "overlay", "userns")
def test_another_containers_can_be_shared(minirun: Minirun) -> None:
    first = proc.namespaces(proc.start(minirun, "first", "--userns", "private", "--ipc", "shareable"))
    shared = {"userns": "user", "ipc": "ipc", "pid": "pid", "network": "net"}
    pid = proc.start(minirun, "second", *(f"--{flag}=container:first" for flag in shared))
    second = proc.namespaces(pid)
    same = {kind for kind in proc.KINDS if first[kind] == second[kind]}
    assert same - {"time"} == set(shared.values())
    # PID 1 is the first one's; its message queues and shared memory are here too.
    assert proc.status(pid)["NSpid"].split()[1] != "1"
    said = proc.inside(minirun, "second", "cat /proc/1/comm; id -u; stat -c %u /bin")
    assert said == ["sleep", "0", "0"]
    proc.inside(minirun, "first", "echo shared > /dev/shm/word")
    assert proc.inside(minirun, "second", "cat /dev/shm/word") == ["shared"]
    # The kernel ends all of a PID namespace with its PID 1: the second container stops too.
    minirun("kill", "first", check=True)
    assert minirun("wait", "second", check=True).stdout.strip() == "137"
    # Started again it is the same container's that it shares, whatever has the old pid by now.
    refused = minirun("start", "second")
    assert (refused.returncode, "container first" in refused.stderr) == (125, True)
    minirun("start", "first", "second", check=True)
    first, second = (proc.namespaces(proc.pid_of(minirun, name)) for name in ("first", "second"))
    assert {kind for kind in proc.KINDS if first[kind] == second[kind]} == same
