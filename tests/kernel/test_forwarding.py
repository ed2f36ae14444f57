"""Rules of others between a container and the world: the doctor names them, and its fix lets packets by."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.container.doctor import network
from minirun.container.doctor.finding import Finding
from minirun.linux.trial import in_child
from minirun.network import table
from minirun.spec import Port
from tests.kernel.wires import World
from tests.needs import needs

pytestmark = needs("root", "nft", "ip")

DOCKER = """
{program} -P FORWARD DROP
{program} -N DOCKER-USER
{program} -A FORWARD -j DOCKER-USER
{program} -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{program} -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
{program} -A DOCKER-USER -j RETURN
"""
UFW = "{program} -P FORWARD DROP; {program} -A FORWARD -p icmp -j ACCEPT"
ADMINISTRATOR = """
nft add table inet site
nft 'add chain inet site walls {{ type filter hook forward priority 10; policy accept; }}'
nft 'add rule inet site walls iifname "lan0" accept'
nft 'add rule inet site walls reject with icmpx admin-prohibited'
"""


@pytest.fixture
def world() -> Iterator[World]:
    """A host of its own for each: rules of iptables do not go before the namespace does."""
    made = World(br_netfilter=False)
    yield made
    made.close()


def findings(world: World, root: Path) -> list[Finding]:
    """What the doctor says on the host."""
    with world.host.inside():
        return list(network.forwarding(str(root), str(root)))


@pytest.mark.parametrize(
    ("script", "program", "where", "families"),
    [
        pytest.param(DOCKER, "iptables-nft", "ip filter FORWARD", [4], marks=needs("iptables-nft")),
        pytest.param(DOCKER, "ip6tables-nft", "ip6 filter FORWARD", [6], marks=needs("ip6tables-nft")),
        pytest.param(UFW, "iptables-nft", "ip filter FORWARD", [4], marks=needs("iptables-nft")),
        pytest.param(
            DOCKER,
            "iptables-legacy",
            "ip filter FORWARD (iptables-legacy)",
            [4],
            marks=needs("iptables-legacy"),
        ),
        pytest.param(ADMINISTRATOR, "", "inet site walls", [4, 6]),
    ],
    ids=["docker", "docker-ip6tables", "ufw", "docker-legacy", "nft"],
)
def test_it_is_named_and_the_fix_fixes_it(
    world: World, tmp_path: Path, script: str, program: str, where: str, families: list[int]
) -> None:
    if (
        program
        and subprocess.run(["unshare", "-n", program, "-S"], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"this machine lacks: a kernel for {program}")
    (before,) = findings(world, tmp_path)
    assert before.status == "ok"
    world.host.run("sh", "-ec", script.format(program=program))
    assert not any(goes_out(world, family) or comes_in(world, family) for family in families)

    (found,) = findings(world, tmp_path)
    assert (found.name, found.status) == (f"forwarding {where}", "warn")
    assert "minirun0" in found.finding

    world.host.run("sh", "-ec", f"PATH=$PATH:/usr/sbin; {found.fix}")
    assert all(goes_out(world, family) and comes_in(world, family) for family in families)
    (after,) = findings(world, tmp_path)
    assert after.status == "ok", after
    # The walls between networks are minirun's own, and stand.
    with world["a1"].listen(anywhere(families[0]), 80):
        assert not world.reaches("outside", world.address("a1", families[0]), 80)


def goes_out(world: World, family: int) -> bool:
    with world["outside"].listen(anywhere(family), 80):
        return world.reaches("a1", world.address("outside", family), 80)


def comes_in(world: World, family: int) -> bool:
    """To a published port."""
    port, addresses = Port(host_port=8080, port=80), [world.address("a1", 4), world.address("a1", 6)]
    with world.host.inside():
        table.publish([port], addresses)
    try:
        with world["a1"].listen(anywhere(family), 80):
            return world.reaches("outside", world.address("host", family), 8080)
    finally:
        with world.host.inside():
            table.unpublish([port], addresses)


def anywhere(family: int) -> str:
    return "::" if family == 6 else "0.0.0.0"


def test_who_is_not_root_is_told_so(tmp_path: Path) -> None:
    def nobody() -> list[str]:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return [one.fix for one in network.forwarding(str(tmp_path), str(tmp_path))]

    assert in_child(nobody) == ["sudo minirun doctor"]
