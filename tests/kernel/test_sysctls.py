"""Sysctls in namespaces of their own: set there, unchanged on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from minirun.isolation import sysctls
from minirun.linux import procfs
from minirun.linux.mount import MountFlag, mount
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.trial import TrialFailed, in_child
from minirun.spec import Linux as LinuxSpec
from minirun.spec import Namespace, Process, Spec
from minirun.steps import INIT, Walk
from tests.needs import needs

pytestmark = pytest.mark.bed

KINDS = {"ipc": CloneFlag.NEWIPC, "network": CloneFlag.NEWNET, "uts": CloneFlag.NEWUTS}


def spec(wanted: dict[str, str]) -> Spec:
    namespaces = tuple(Namespace(type=kind) for kind in (*KINDS, "user"))
    return Spec(process=Process(args=("true",)), linux=LinuxSpec(namespaces=namespaces, sysctl=wanted))


def walk(wanted: dict[str, str], flags: CloneFlag) -> dict[str, str]:
    """What a child in new namespaces reads after it walked the steps."""

    def child() -> dict[str, str]:
        unshare(flags)
        Walk(list(sysctls.steps(spec(wanted))), INIT).run()
        return {name: " ".join(procfs.read(procfs.sysctl_path(name)).split()) for name in wanted}

    found: dict[str, str] = in_child(child)
    return found


@needs("root")
@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("ipc", "kernel.shmmni", "1234"),
        ("ipc", "kernel.msgmax", "12345"),
        ("ipc", "kernel.sem", "250 31999 32 127"),
        ("ipc", "fs.mqueue.queues_max", "77"),
        ("network", "net.ipv4.ip_forward", "1"),
        ("network", "net/ipv4/conf/lo/rp_filter", "2"),
        ("network", "net.ipv4.ping_group_range", "0 2147483647"),
        ("uts", "kernel.domainname", "example.org"),
        ("uts", "kernel.hostname", "a-container"),
    ],
)
def test_set_inside_and_unchanged_outside(kind: str, name: str, value: str) -> None:
    outside = Path(procfs.sysctl_path(name))
    before = outside.read_text()
    if before.split() == value.split():  # e.g. a host that forwards: choose the other one
        value = "0"
    assert walk({name: value}, KINDS[kind]) == {name: value}
    assert outside.read_text() == before


@needs("root", "userns")
def test_a_user_namespaces_own_limit() -> None:
    before = Path("/proc/sys/user/max_net_namespaces").read_text()
    assert walk({"user.max_net_namespaces": "3"}, CloneFlag.NEWUSER) == {"user.max_net_namespaces": "3"}
    assert Path("/proc/sys/user/max_net_namespaces").read_text() == before


@needs("root")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("net.ipv4.no_such_thing", "1", "ENOENT"),
        ("net.ipv4.ip_forward", "many", "EINVAL"),
        ("fs.mqueue.msg_max", "99999999", "EINVAL"),
    ],
)
def test_what_the_kernel_refuses_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(TrialFailed, match=f"(?s)cannot set {name}.*{said}"):
        walk({name: value}, KINDS["network"] | KINDS["ipc"])


@needs("root")
def test_a_number_that_the_kernel_changed_is_noticed() -> None:
    """This knob counts in clock ticks: 3 ms become 4 where a tick is 4 ms long."""

    def rounded() -> str:
        unshare(KINDS["network"])
        Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("3")
        return Path("/proc/sys/net/ipv4/icmp_ratelimit").read_text().strip()

    held = in_child(rounded)
    if held == "3":
        pytest.skip("this machine lacks: a clock tick longer than a millisecond")
    with pytest.raises(TrialFailed, match=f"(?s)ERANGE.*the kernel made '{held}' of it"):
        walk({"net.ipv4.icmp_ratelimit": "3"}, KINDS["network"])


@needs("root")
def test_a_sysctl_that_can_only_be_written() -> None:
    def child() -> None:
        unshare(KINDS["network"])
        procfs.write_sysctl("net.ipv4.route.flush", "1")

    assert in_child(child) is None


@needs("root")
def test_a_file_that_only_looks_like_a_sysctl_is_not_written(tmp_path: Path) -> None:
    """An image, or a volume, put a plain directory where /proc belongs."""
    fake = tmp_path / "sys/net/ipv4/ip_forward"
    fake.parent.mkdir(parents=True)
    fake.write_text("0")

    def child() -> None:
        unshare(CloneFlag.NEWNS | KINDS["network"])
        mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        mount(str(tmp_path), "/proc", None, MountFlag.BIND, None)
        Walk(list(sysctls.steps(spec({"net.ipv4.ip_forward": "1"}))), INIT).run()

    with pytest.raises(TrialFailed, match=r"(?s)ENOTTY.*not a file of a procfs"):
        in_child(child)
    assert fake.read_text() == "0"
