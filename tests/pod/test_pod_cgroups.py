"""What a pod's containers may use and may do, as the kernel has it: cgroups, scores, users, capabilities.

Those marked ``bed`` look at what another kernel, or another version of cgroups, may do in its own way.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

from minirun.isolation.cgroups.layout import layout
from minirun.pod import node, qos
from tests.needs import needs
from tests.patience import until
from tests.pod.living import Living, Pods, app, inode, pod, proc_status

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

MEBI = 1 << 20


def resources(requests: dict[str, str] | None = None, **limits: str) -> dict[str, Any]:
    """``resources(cpu="500m", memory="64Mi")`` are limits."""
    return {"resources": {"limits": limits, "requests": requests or {}}}


def group(kind: str, path: str) -> str:
    """The directory of the cgroup ``path`` in the tree that has the controller ``kind``."""
    where = layout()
    return (where.v1[kind] if where.version(kind) == 1 else where.v2) + path


def number(controller: str, path: str, v1: str, v2: str) -> str:
    """What the file of that controller says, by its name in either version."""
    file = v1 if layout().version(controller) == 1 else v2
    return Path(group(controller, path), file).read_text().strip()


def memory_limit(path: str) -> str:
    found = number("memory", path, "memory.limit_in_bytes", "memory.max")
    return "max" if found == "max" or int(found) > 1 << 60 else found


def quota(path: str) -> str:
    found = number("cpu", path, "cpu.cfs_quota_us", "cpu.max").split()[0]
    return "max" if found == "-1" else found


def weight(path: str) -> int:
    return int(number("cpu", path, "cpu.shares", "cpu.weight"))


def shares(amount: int) -> int:
    """OCI's shares, as the tree of this host has them: v2's weight has a curve of its own (KEP-2254)."""
    if layout().version("cpu") == 1:
        return amount
    bits = math.log2(amount)
    return 1 if amount <= 2 else math.ceil(10 ** ((bits * bits + 125 * bits) / 612 - 7 / 34))


def own(made: Living, name: str) -> str:
    """The path of a container's cgroup."""
    return f"{made.home.record().cgroup}/{made.container(name).id}"


@pytest.mark.bed
def test_guaranteed(pods: Pods) -> None:
    """Directly below kubepods; limits for each container, and their sum for the pod."""
    made = pods.create(
        pod(
            "sure",
            app(**resources(cpu="250m", memory="32Mi")),
            app(name="web", **resources(cpu="500m", memory="64Mi")),
        )
    )
    top = f"/minirun/kubepods/pod{made.home.uid}"
    assert made.status.qosClass == "Guaranteed" and made.home.record().cgroup == top
    assert (memory_limit(own(made, "app")), memory_limit(own(made, "web"))) == (
        str(32 * MEBI),
        str(64 * MEBI),
    )
    assert (quota(own(made, "app")), quota(own(made, "web"))) == ("25000", "50000")
    assert (weight(own(made, "app")), weight(own(made, "web"))) == (shares(256), shares(512))
    assert (memory_limit(top), quota(top), weight(top)) == (str(96 * MEBI), "75000", shares(768))
    assert score(made.pid()) == bounded(-997)
    assert in_its_group(made, "app")
    if layout().version("memory") == 2:  # half a container is not what anyone restarts
        assert Path(group("memory", own(made, "app")), "memory.oom.group").read_text() == "1\n"


@pytest.mark.bed
def test_burstable(pods: Pods) -> None:
    """Requests are shares; no limit for the pod while one container has none; the class has the sum."""
    one = pods.create(
        pod(
            "one",
            app(**resources({"cpu": "100m", "memory": "16Mi"}, memory="64Mi")),
            app(name="free", **resources({"cpu": "200m"})),
        )
    )
    two = pods.create(pod("two", app(**resources({"cpu": "400m"}))))
    top = f"/minirun/kubepods/burstable/pod{one.home.uid}"
    assert one.status.qosClass == "Burstable" and one.home.record().cgroup == top
    assert (memory_limit(top), quota(top), weight(top)) == ("max", "max", shares(307))
    assert memory_limit(own(one, "app")) == str(64 * MEBI)
    assert weight(own(one, "free")) == shares(204)
    assert class_has(700, one, two)
    expected = 1000 - 1000 * 16 * MEBI // node.memory()
    assert score(one.pid("app")) == bounded(min(max(expected, 3), 999))
    assert score(one.pid("free")) == 999
    two("rm", "-f")
    assert class_has(300, one)


def class_has(requested: int, *pods: Living) -> bool:
    """Whether the class has the CPU that ``pods`` request, in thousandths.

    While another store has pods in it, too, what that one has counted may stand there.
    """
    if set(node.members(qos.BURSTABLE)) != {made.home.uid for made in pods}:
        return True
    return weight("/minirun/kubepods/burstable") == shares(requested * 1024 // 1000)


@pytest.mark.bed
def test_best_effort(pods: Pods) -> None:
    """The least share of the CPU, and the first to be killed."""
    made = pods.create(pod("poor", app()))
    top = f"/minirun/kubepods/besteffort/pod{made.home.uid}"
    assert made.status.qosClass == "BestEffort" and made.home.record().cgroup == top
    assert weight(top) == weight("/minirun/kubepods/besteffort") == shares(2)
    assert score(made.pid()) == 1000
    made("rm", "-f")
    assert not os.path.exists(group("cpu", top))


def score(pid: int) -> int:
    """How readily the OOM killer takes it."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def bounded(wanted: int) -> int:
    """Who may not lower the score keeps his own."""
    mighty = int(proc_status(os.getpid(), "CapEff"), 16) >> 24 & 1
    return wanted if mighty else max(wanted, score(os.getpid()))


def in_its_group(made: Living, name: str) -> bool:
    """Whether the kernel counts its program in its own group, in each tree."""
    path = own(made, name)
    return all(
        str(made.pid(name)) in Path(group(kind, path), "cgroup.procs").read_text().split()
        for kind in ("memory", "cpu", "pids")
    )


@pytest.mark.bed
def test_the_limit_of_memory_kills(pods: Pods) -> None:
    """OOMKilled, 137; the neighbour lives."""
    made = pods.create(
        pod(
            "hungry",
            app("head -c 100000000 /dev/zero | tail", **resources(memory="16Mi")),
            app(name="other"),
            restartPolicy="Never",
        )
    )
    until("it is dead", lambda: made.ended() is not None)
    assert made.ended().reason == "OOMKilled"
    assert made.state("other").running


def test_who_it_runs_as(pods: Pods) -> None:
    """The container's securityContext wins over the pod's; groups add up."""
    made = pods.create(
        pod(
            "users",
            app(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            app(name="other", securityContext={"runAsUser": 2000, "runAsGroup": 2001}),
            securityContext={"runAsUser": 1000, "supplementalGroups": [4000], "fsGroup": 5000},
            volumes=[{"name": "v", "emptyDir": {}}],
        )
    )
    assert proc_status(made.pid("app"), "Uid").split() == ["1000"] * 4
    assert proc_status(made.pid("app"), "Gid").split() == ["0"] * 4
    assert proc_status(made.pid("other"), "Uid").split() == ["2000"] * 4
    assert proc_status(made.pid("other"), "Gid").split() == ["2001"] * 4
    for name in ("app", "other"):
        assert {"4000", "5000"} <= set(proc_status(made.pid(name), "Groups").split())
    assert made.exec("sh", "-c", "touch /v/mine; stat -c %u:%g /v/mine").strip() == "1000:5000"


def test_no_root_is_kept(pods: Pods) -> None:
    """runAsNonRoot with an image of root's: CreateContainerConfigError, and it is never made."""
    made = pods.create(
        pod(
            "nonroot",
            app(securityContext={"runAsNonRoot": True}),
            app(name="user", securityContext={"runAsNonRoot": True, "runAsUser": 1000}),
        )
    )
    assert made.waits() == "CreateContainerConfigError"
    assert made.state("user").running
    waiting = made.state().waiting
    assert waiting and "root" in waiting.message


@pytest.mark.bed
def test_privileges(pods: Pods) -> None:
    """Read-only root, capabilities added and dropped, no_new_privs, seccomp: in /proc of the process."""
    strict = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL", "SYS_TIME"], "add": ["NET_BIND_SERVICE", "CAP_SYS_TIME"]},
    }
    made = pods.create(
        pod(
            "strict",
            app(securityContext=strict),
            app(name="usual"),
            app(
                name="mighty",
                securityContext={"privileged": True, "capabilities": {"drop": ["ALL"]}},
            ),
        )
    )
    pid = made.pid()
    assert proc_status(pid, "NoNewPrivs") == "1"
    assert int(proc_status(pid, "CapBnd"), 16) == 1 << 10
    assert made.exec("sh", "-c", "touch /x 2>&1 || true").strip().endswith("Read-only file system")
    usual = made.pid("usual")
    assert proc_status(usual, "NoNewPrivs") == "0"
    assert bin(int(proc_status(usual, "CapBnd"), 16)).count("1") == 14
    assert (proc_status(pid, "Seccomp"), proc_status(usual, "Seccomp")) == ("2", "2")
    mighty = made.pid("mighty")
    assert (proc_status(mighty, "Seccomp"), proc_status(mighty, "NoNewPrivs")) == ("0", "0")
    assert int(proc_status(mighty, "CapEff"), 16) >> 21 & 1  # SYS_ADMIN


@pytest.mark.bed
def test_sysctls_and_profiles(pods: Pods) -> None:
    """A sysctl of the pod's network; a container without seccomp, beside one with it."""
    made = pods.create(
        pod(
            "tuned",
            app(),
            app(name="open", securityContext={"seccompProfile": {"type": "Unconfined"}}),
            securityContext={"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "1"}]},
        )
    )
    assert made.exec("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start").strip() == "1"
    assert (proc_status(made.pid(), "Seccomp"), proc_status(made.pid("open"), "Seccomp")) == ("2", "0")


@pytest.mark.bed
def test_pause_itself(pods: Pods) -> None:
    """Nobody's, without a capability, in a root that is read-only, in a group of the pod's."""
    made = pods.create(pod("asleep", app(**resources(cpu="250m", memory="32Mi"))))
    assert proc_status(made.pause, "Uid").split() == ["65535"] * 4
    assert proc_status(made.pause, "CapBnd") == "0" * 16
    mounts = Path(f"/proc/{made.pause}/mountinfo").read_text().splitlines()
    root = next(line for line in mounts if line.split()[4] == "/")
    assert root.split()[5].split(",")[0] == "ro"
    assert Path(f"/proc/{made.pause}/root/pause").stat().st_size < 16384
    where = Path(group("pids", made.home.record().cgroup), made.sandbox.id, "cgroup.procs")
    assert where.read_text().split() == [str(made.pause)]
    assert inode(made.pause, "pid") != inode(made.pid(), "pid")
