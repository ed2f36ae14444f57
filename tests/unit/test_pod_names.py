"""What a pod is called, its hosts file and its resolver's configuration."""

from __future__ import annotations

import pytest

from minirun.errors import InvalidInput
from minirun.pod import names
from minirun.pod.manifest.types import (
    Container,
    HostAlias,
    ObjectMeta,
    Pod,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSpec,
)

HOST = "nameserver 192.0.2.53\nsearch example.org corp.example\noptions edns0 timeout:1\n"


def pod(name: str = "web", namespace: str = "shop", **spec: object) -> Pod:
    """A pod with one container."""
    return Pod(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=PodSpec(containers=(Container(name="main"),), **spec),
    )


@pytest.mark.parametrize(
    ("spec", "hostname", "domain"),
    [
        ({}, "web", ""),
        ({"hostname": "db-0"}, "db-0", ""),
        ({"subdomain": "db"}, "web", "db.shop.svc.cluster.local"),
        ({"hostname": "db-0", "subdomain": "db"}, "db-0", "db.shop.svc.cluster.local"),
        (
            {"hostname": "db-0", "subdomain": "db", "setHostnameAsFQDN": True},
            "db-0.db.shop.svc.cluster.local",
            "db.shop.svc.cluster.local",
        ),
        ({"setHostnameAsFQDN": True}, "web", ""),
        ({"hostnameOverride": "any.name", "subdomain": "db"}, "any.name", ""),
    ],
)
def test_names(spec: dict[str, object], hostname: str, domain: str) -> None:
    """The hostname that uname(2) gives, and the domain in the hosts file."""
    found = names.name_of(pod(**spec))
    assert (found.hostname, found.domain) == (hostname, domain)


def test_a_long_name_is_cut_off() -> None:
    """At 63 letters, and not at a dash; a whole name of more than 64 is refused."""
    assert names.name_of(pod("a" * 70)).hostname == "a" * 63
    assert names.name_of(pod("a" * 62 + "-" + "b" * 9)).hostname == "a" * 62
    with pytest.raises(InvalidInput, match="too long"):
        names.name_of(pod("a" * 50, subdomain="db", setHostnameAsFQDN=True))


def test_hosts() -> None:
    """A line that says whose it is, localhost, the pod, then the aliases."""
    aliases = (HostAlias(ip="10.0.0.7", hostnames=("db", "db.example")), HostAlias(ip="10.0.0.8"))
    text = names.hosts(pod(subdomain="db", hostAliases=aliases), ("10.88.0.2", "fd00::2"))
    lines = text.splitlines()
    assert lines[0].startswith("# Kubernetes-managed hosts file.")
    assert lines[1] == "127.0.0.1\tlocalhost"
    assert "10.88.0.2\tweb.db.shop.svc.cluster.local\tweb" in lines
    assert "fd00::2\tweb.db.shop.svc.cluster.local\tweb" in lines
    assert lines[-2:] == ["# Entries added by HostAliases.", "10.0.0.7\tdb\tdb.example"]
    assert text.endswith("\n")


def test_hosts_without_a_domain() -> None:
    """The name alone; no part about aliases where there are none."""
    text = names.hosts(pod(hostname="me"), ("10.88.0.2",))
    assert text.endswith("10.88.0.2\tme\n")


def test_hosts_on_the_hosts_network() -> None:
    """The host's file, and the aliases."""
    alias = HostAlias(ip="10.0.0.7", hostnames=("db",))
    text = names.hosts(pod(hostNetwork=True, hostAliases=(alias,)), ("192.0.2.1",), host="192.0.2.1 machine")
    assert text.splitlines()[0].startswith("# Kubernetes-managed hosts file (host network).")
    assert text.splitlines()[1] == "192.0.2.1 machine"
    assert text.endswith("10.0.0.7\tdb\n")
    assert "localhost" not in text


@pytest.mark.parametrize("policy", [None, "ClusterFirst", "ClusterFirstWithHostNet", "Default"])
def test_the_hosts_resolver(policy: str | None) -> None:
    """There is no cluster's: all of these mean the host's."""
    assert names.resolv_conf(pod(dnsPolicy=policy), HOST).text == HOST


def test_loopback_servers() -> None:
    """Out of reach of a pod with a network of its own; of the host's they are what it has."""
    host = "nameserver 127.0.0.53\n"
    text = names.resolv_conf(pod(), host).text
    assert "127.0.0.53" not in text
    assert text.startswith("#")
    assert "nameserver 8.8.8.8\n" in text
    assert names.resolv_conf(pod(hostNetwork=True), host).text == host


CONFIG = PodDNSConfig(
    nameservers=("198.51.100.1", "192.0.2.53"),
    searches=("my.example", "example.org"),
    options=(PodDNSConfigOption(name="timeout", value="3"), PodDNSConfigOption(name="rotate")),
)


def test_dns_config_is_added() -> None:
    """What is there already is not repeated; an option of the same name is replaced."""
    text = names.resolv_conf(pod(dnsConfig=CONFIG), HOST).text
    assert text == (
        "nameserver 192.0.2.53\nnameserver 198.51.100.1\n"
        "search example.org corp.example my.example\noptions edns0 timeout:3 rotate\n"
    )


def test_dns_config_alone() -> None:
    """dnsPolicy None: nothing of the host's."""
    text = names.resolv_conf(pod(dnsPolicy="None", dnsConfig=CONFIG), HOST).text
    assert text == (
        "nameserver 198.51.100.1\nnameserver 192.0.2.53\n"
        "search my.example example.org\noptions timeout:3 rotate\n"
    )
    for config in (None, PodDNSConfig(searches=("a",))):
        with pytest.raises(InvalidInput, match="needs a name server"):
            names.resolv_conf(pod(dnsPolicy="None", dnsConfig=config), HOST)
    with pytest.raises(InvalidInput, match="dnsPolicy"):
        names.resolv_conf(pod(dnsPolicy="Cluster"), HOST)


def test_limits() -> None:
    """Three servers, 32 domains, 2048 letters; what was left out is told."""
    many = PodDNSConfig(
        nameservers=tuple(f"192.0.2.{n}" for n in range(1, 6)), searches=tuple(f"d{n}" for n in range(40))
    )
    found = names.resolv_conf(pod(dnsPolicy="None", dnsConfig=many), "")
    assert found.text.count("nameserver") == 3
    assert found.text.splitlines()[3] == "search " + " ".join(f"d{n}" for n in range(32))
    assert len(found.notes) == 2
    long = PodDNSConfig(nameservers=("192.0.2.1",), searches=tuple("a" * 200 + str(n) for n in range(20)))
    text = names.resolv_conf(pod(dnsPolicy="None", dnsConfig=long), "").text
    assert 1800 < len(text.splitlines()[1]) <= 2048 + len("search ")
    assert names.resolv_conf(pod(), HOST).notes == ()
