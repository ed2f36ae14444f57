"""Pods on pure cgroup v2 and a distribution's kernel: an end for want of memory, who gets the CPU, users.

What single fields become is in tests/pod/test_pod_cgroups.py, which runs in here too. A
command takes seconds in emulation: few of them, and many looks at what they did.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from minirun.isolation.apparmor import DEFAULT
from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Living, Pods, app, inode, pod, traces

pytestmark = [needs("root", "overlay", "cgroup2-memory", "userns"), pytest.mark.bed]

TOP = Path("/sys/fs/cgroup/minirun")
MEBI = 1 << 20

#: The first run of it takes more memory than there is; the next one finds that out, and lives.
ONCE = f"mkdir /data/once && dd if=/dev/zero of=/dev/null bs=200M; {FOREVER}"
#: Some that leave the session, so that no signal to a process group finds them.
ASTRAY = f"setsid sleep 3000 & setsid sleep 3000 & {FOREVER}"
#: Two of them, for two CPUs.
SPIN = "while :; do :; done & while :; do :; done"


def top(made: Living) -> Path:
    """The cgroup of the pod."""
    return Path("/sys/fs/cgroup" + made.home.record().cgroup)


def own(made: Living, name: str) -> Path:
    """The cgroup of a container."""
    return top(made) / made.container(name).id


def table(file: Path) -> dict[str, int]:
    """A file of a cgroup that has a name and a number in each line."""
    return {name: int(value) for name, value in map(str.split, file.read_text().splitlines())}


def members(group: Path) -> set[int]:
    """The processes in a cgroup and below."""
    files = group.rglob("cgroup.procs")
    return {int(pid) for file in files for pid in file.read_text().split()}


def lives(pid: int) -> bool:
    """Whether it is a process still, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_whole_life(pods: Pods) -> None:
    """The pod's limit of memory kills one container, all of it and it alone; it comes back; nothing stays."""
    before = traces(pods.store)
    made = pods.create(
        pod(
            "life",
            app(ONCE, volumeMounts=[{"name": "data", "mountPath": "/data"}]),
            app(ASTRAY, name="other"),
            resources={"limits": {"memory": "48Mi"}, "requests": {"cpu": "500m"}},
            volumes=[{"name": "data", "emptyDir": {}}],
        )
    )
    other, pause, address = made.pid("other"), made.pause, made.address
    until("the app is there again", lambda: made.of().restartCount == 1 and made.pid() > 0)
    last = made.of().lastState.terminated
    assert last and (last.reason, last.exitCode) == ("OOMKilled", 137)
    assert (made.pid("other"), made.pause, made.address) == (other, pause, address)

    assert made.status.qosClass == "Burstable" and top(made).parent == TOP / "kubepods/burstable"
    assert (top(made) / "memory.max").read_text() == f"{48 * MEBI}\n"
    assert (own(made, "app") / "memory.max").read_text() == "max\n"
    # The group that hit its limit, and who of it was killed: a container is all or nothing.
    assert table(top(made) / "memory.events")["oom"] >= 1
    assert table(own(made, "other") / "memory.events")["oom_kill"] == 0
    assert (own(made, "app") / "memory.oom.group").read_text() == "1\n"
    for group in (TOP / "kubepods", TOP / "kubepods/burstable", top(made)):
        assert {"cpu", "memory", "pids"} <= set((group / "cgroup.subtree_control").read_text().split())
    until("all sleep", lambda: len(members(top(made))) == 7)
    inside = members(top(made))
    assert {made.pid(), other, pause} <= inside
    assert (top(made) / "pids.current").read_text() == "7\n"
    assert table(top(made) / "cgroup.events") == {"populated": 1, "frozen": 0}

    made("rm", "-f")
    assert not TOP.exists()
    until("they are dead", lambda: not any(map(lives, inside)))
    assert traces(pods.store) == before
    assert pods.minirun("gc", check=True).stdout == ""


def test_who_gets_the_cpu(pods: Pods) -> None:
    """Burstable against BestEffort, each of which would take all of it: what was asked for goes before."""
    request = {"resources": {"requests": {"cpu": "500m"}}}
    poor = pods.create(pod("asked", app(SPIN, **request)), pod("poor", app(SPIN)))
    groups = [top(each) for each in (pods.find("asked"), poor)]
    assert [(group / "cpu.weight").read_text() for group in groups] == ["59\n", "1\n"]
    assert [(group.parent / "cpu.weight").read_text() for group in groups] == ["59\n", "1\n"]
    until("they all run", lambda: all(len(members(group)) == 3 for group in groups))
    before = [table(group / "cpu.stat")["usage_usec"] for group in groups]
    time.sleep(1.5)  # the time over which it is measured
    much, little = (
        table(group / "cpu.stat")["usage_usec"] - used for group, used in zip(groups, before, strict=True)
    )
    assert much > 8 * little, (much, little)
    pods.minirun("pod", "rm", "-f", "asked", "poor", check=True)
    assert not TOP.exists()


def test_users_of_its_own(pods: Pods) -> None:
    """hostUsers: false: one user namespace for all of the pod, and AppArmor has its say, too."""
    names = ("own", "kept")
    mounts = {"volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in names]}
    volumes = [
        {"name": "own", "emptyDir": {}},
        {"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}},
    ]
    made = pods.create(
        pod("ids", app(**mounts), app(name="other", **mounts), hostUsers=False, volumes=volumes)
    )
    pids = made.pause, made.pid(), made.pid("other")
    assert len({inode(pid, "user") for pid in pids}) == 1
    assert inode(made.pause, "user") != os.readlink("/proc/self/ns/user")
    inner, outer, count = map(int, Path(f"/proc/{made.pid()}/uid_map").read_text().split())
    assert (inner, outer % 65536, count) == (0, 0, 65536) and outer >= 65536
    assert os.stat(f"/proc/{made.pid()}").st_uid == outer
    assert made.pid() in members(own(made, "app")) and made.pause in members(top(made))

    script = "for to in own kept; do touch /$to/x; chown 7:8 /$to/x; done; stat -c %u:%g / /own/x /kept/x"
    said = made.exec("sh", "-c", f"{script}; cat /proc/self/cgroup /proc/1/attr/current").splitlines()
    assert said == ["0:0", "7:8", "7:8", "0::/", f"{DEFAULT} (enforce)"]
    # What is the pod's alone belongs to its users; what outlives it is seen through an id map.
    found = [next(place.rglob("x")).stat() for place in (Path(made.home.data), pods.minirun.root / "volumes")]
    assert [(each.st_uid - 7, each.st_gid - 8) for each in found] == [(outer, outer), (0, 0)]
    made("rm", "-f")
    pods.minirun("volume", "rm", "kept", check=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_at_once(pods: Pods) -> None:
    """Made by one command and removed by one; nothing stays."""
    before = traces(pods.store)
    labels = {"app": "fifty"}
    template = {"metadata": {"labels": labels}, "spec": pod("", app())["spec"]}
    spec = {"replicas": 50, "selector": {"matchLabels": labels}, "template": template}
    fifty = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "fifty"}, "spec": spec}
    pods.minirun("pod", "create", "-", input=json.dumps(fifty), check=True, timeout=400)
    places = list((TOP / "kubepods/besteffort").glob("pod*"))
    assert len(places) == 50
    until("all run", lambda: all(len(members(place)) >= 3 for place in places))
    pods.minirun("pod", "rm", "-f", "-a", check=True, timeout=400)
    assert not TOP.exists()
    assert traces(pods.store) == before
