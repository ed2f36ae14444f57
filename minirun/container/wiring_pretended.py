"""What `explain` shows of a container's networks, without taking anything of them.

Layer ``container``. The first address of each network stands for whichever is
free when it comes to it, and the default network for itself before it is made.
See ``wiring.py`` for what a start takes.
"""

from __future__ import annotations

from minirun.container import network_words, wiring
from minirun.container.name_files import Wired
from minirun.errors import NotFound
from minirun.network import bridge, networks, ports
from minirun.network.attach import Wiring
from minirun.spec import Endpoint, Port
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.container.network_words import Wish
    from minirun.container.options import Options
    from minirun.container.state import Home, Store
    from minirun.network.networks import Network
    from minirun.steps import Step


def pretended(store: Store, options: Options, id: str) -> tuple[Wired, Wiring]:
    """What ``explain`` shows, without taking anything: the first address of each network."""
    wishes = network_words.wishes(options)
    found = tuple(None if wish.is_cni else _perhaps(store.root, wish.network) for wish in wishes)
    endpoints = tuple(
        _pretended(network, wish, id, number) if network else wiring.of_cni(wish, number, options)
        for number, (network, wish) in enumerate(zip(found, wishes, strict=True))
    )
    asked = tuple(port for word in options.publish for port in ports.parse(word))
    steps = _steps(store.container(id), options, endpoints, asked) if None in found else {}
    return Wired(endpoints=endpoints, ports=asked), Wiring(state="", networks=found, steps=steps)


def _perhaps(root: str, name: str) -> Network:
    """The network, or the default one as it would be made."""
    try:
        return networks.find(root, name)
    except NotFound:
        if name != networks.DEFAULT:
            raise
        subnet = networks.Subnet(cidr="10.87.0.0/16", gateway="10.87.0.1")
        return networks.Network(name=name, id="", bridge="minirun0", subnets=(subnet,))


def _pretended(network: Network, wish: Wish, id: str, number: int) -> Endpoint:
    given = tuple(
        f"{subnet.gateway.rpartition(mark)[0]}{mark}2/{subnet.cidr.rpartition('/')[2]}"
        for subnet in network.subnets
        for mark in (":" if ":" in subnet.gateway else ".",)
    )
    return Endpoint(
        network=network.name,
        driver=network.driver,
        bridge=network.bridge,
        interface=f"eth{number}",
        host_interface=wiring.host_interface(id, number),
        mac=wish.mac or bridge.mac_of(given[0]),
        mtu=network.mtu or 1500,
        addresses=given,
        gateways=() if network.internal else tuple(subnet.gateway for subnet in network.subnets),
    )


def _steps(
    home: Home, options: Options, endpoints: Sequence[Endpoint], asked: Sequence[Port]
) -> dict[str, tuple[Step, ...]]:
    from minirun.container import cni_answer, cni_wiring

    short = home.id[:12]
    name, hostname = options.name or short, options.hostname or short
    return cni_wiring.steps(cni_answer.Guest(home=home, name=name, hostname=hostname), endpoints, asked)
