"""Which sysctls a container may set, and how their names become files. No root."""

from __future__ import annotations

import pytest

from minirun.errors import InvalidInput, Unsupported, UsageError
from minirun.isolation import sysctls
from minirun.linux import procfs
from minirun.spec import Linux as LinuxSpec
from minirun.spec import Namespace, Process, Spec

OWN = tuple(Namespace(type=kind) for kind in ("ipc", "network", "uts", "user"))


def spec(name: str, value: str = "1", namespaces: tuple[Namespace, ...] = OWN, hostname: str = "") -> Spec:
    linux = LinuxSpec(namespaces=namespaces, sysctl={name: value})
    return Spec(process=Process(args=("true",)), linux=linux, hostname=hostname)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"),
        ("net.ipv4.conf.eth0/1.rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"),
    ],
)
def test_both_forms_of_a_name(name: str, path: str) -> None:
    assert procfs.sysctl_path(name) == path


@pytest.mark.parametrize(
    "name",
    [
        "net.ipv4.ip_forward",
        "net/core/somaxconn",
        "kernel.shmmax",
        "kernel.sem",
        "kernel.msgmni",
        "fs.mqueue.msg_max",
        "kernel.domainname",
        "kernel.hostname",
        "user.max_user_namespaces",
    ],
)
def test_what_a_namespace_owns_is_one_write(name: str) -> None:
    (step,) = sysctls.steps(spec(name))
    assert str(step.calls[0]) == f'write("{procfs.sysctl_path(name)}", "1")'
    with pytest.raises(Unsupported, match="in the host's"):
        list(sysctls.steps(spec(name, namespaces=())))


@pytest.mark.parametrize(
    "name",
    [
        "kernel.panic",
        "vm.swappiness",
        "fs.file-max",
        "kernel.shmmax2",
        "fs.mqueue",
        "net",
        "kernel.msg_next_id",
    ],
)
def test_what_the_machine_owns_is_refused_by_name(name: str) -> None:
    with pytest.raises(Unsupported, match=f"sysctl {name} cannot be set"):
        list(sysctls.steps(spec(name)))


@pytest.mark.parametrize("name", ["net/../kernel/panic", "net..x", "net/./x", "", "net/"])
def test_a_name_that_climbs_is_malformed(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a sysctl"):
        list(sysctls.steps(spec(name)))


def test_joining_the_hosts_namespace_is_the_hosts() -> None:
    joined = (Namespace(type="network", path="/proc/self/ns/net"),)
    with pytest.raises(Unsupported, match="the host's network namespace"):
        list(sysctls.steps(spec("net.core.somaxconn", namespaces=joined)))
    other = (Namespace(type="network", path="/proc/self/ns/uts"),)  # any other nsfs inode
    assert len(list(sysctls.steps(spec("net.core.somaxconn", namespaces=other)))) == 1


def test_a_hostname_said_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="contradicts the hostname 'web'"):
        list(sysctls.steps(spec("kernel.hostname", "db", hostname="web")))


@pytest.mark.parametrize("value", ["", "1\n2", "1\0"])
def test_a_value_is_one_line(value: str) -> None:
    with pytest.raises(InvalidInput, match="malformed"):
        list(sysctls.steps(spec("kernel.shmmax", value)))


def test_the_flag() -> None:
    assert sysctls.parse(["a.b=1", "kernel.sem=1 2 3 4", "a.b=2"]) == {"a.b": "2", "kernel.sem": "1 2 3 4"}


@pytest.mark.parametrize("word", ["a.b", "=1", "a.b="])
def test_a_flag_that_is_not_understood(word: str) -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        sysctls.parse([word])
