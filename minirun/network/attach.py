"""The cable: how a container gets onto its networks, as steps of its plan.

Layer ``network``. The host side makes the bridge if it is the first to need it,
and a veth pair whose one end is plugged into the bridge while the other is born
in the container's network namespace; then it publishes ports. The container's
first process gives its end an address, raises it, and says where everything
else is: by the gateway, which is the bridge. See veth(4), rtnetlink(7). Nothing
of it has to be undone but what outlives the namespace: published ports.
Read ``table.py`` next.
"""

from __future__ import annotations

from minirun.linux import netlink_route as route
from minirun.network import bridge, table
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.network.networks import Network
    from minirun.spec import Endpoint, Spec

_INIT = Ref(name="init")


class Wiring(Value):
    """What the plan of a container with networks needs beside its Spec."""

    state: str = ""
    """minirun's directory for what a reboot may take."""
    networks: tuple[Network | None, ...] = ()
    """As many as the Spec has endpoints, in their order; None for one of CNI's."""
    steps: dict[str, tuple[Step, ...]] = {}
    """By interface, what there is to do for those (container/cni_wiring.py)."""


def host_steps(spec: Spec, wiring: Wiring) -> Iterator[Step]:
    """After the birth of the container's first process: what can be done from outside only."""
    for endpoint, network in zip(spec.endpoints, wiring.networks, strict=True):
        if network is None:
            yield from wiring.steps[endpoint.interface]
            continue
        yield Step(
            f"make sure of the network {network.name}",
            Call(bridge.ensure, network, wiring.state),
            why="a bridge is a switch in the kernel; the first container makes it, with its NAT",
            side=HOST,
            chapter="08",
        )
        yield _cable(endpoint)
    if spec.ports and spec.endpoints[0].driver != "cni":
        addresses = _plain(spec.endpoints)
        yield Step(
            "publish its ports",
            *(
                Call(table.turn_back, each.host_interface)
                for each in spec.endpoints[:1]
                if each.host_interface
            ),
            Call(table.publish, spec.ports, addresses),
            why="one element of a map each: the rules that look them up are always the same",
            side=HOST,
            undo=[Call(table.unpublish, spec.ports, addresses)],
            chapter="08",
        )


def _cable(endpoint: Endpoint) -> Step:
    if endpoint.driver == "macvlan":
        return Step(
            f"put {endpoint.interface} on {endpoint.bridge}",
            Call(
                route.create_macvlan,
                endpoint.interface,
                endpoint.bridge,
                endpoint.mtu,
                endpoint.mac,
                _INIT,
            ),
            why="a second address of the host's own card, seen by its neighbours as one more machine",
            side=HOST,
            chapter="08",
        )
    return Step(
        f"plug {endpoint.interface} into {endpoint.bridge}",
        Call(
            route.create_veth,
            endpoint.host_interface,
            endpoint.bridge,
            endpoint.mtu,
            endpoint.interface,
            endpoint.mac,
            _INIT,
        ),
        why="a veth pair is a cable: one end on the bridge, the other inside; it goes with the namespace",
        side=HOST,
        chapter="08",
    )


def init_steps(spec: Spec) -> Iterator[Step]:
    """In the container's own network namespace, once the cable is there."""
    routed: set[bool] = set()
    foreign = [number for number, endpoint in enumerate(spec.endpoints) if endpoint.driver == "cni"]
    for number, endpoint in enumerate(spec.endpoints):
        if number in foreign:
            continue  # the plugins did all of it from outside
        yield Step(
            f"give {endpoint.interface} its addresses",
            *(Call(route.add_address, endpoint.interface, address) for address in endpoint.addresses),
            why="who is on the same bridge is reached directly: that follows from the prefix length",
            chapter="08",
        )
        yield Step(
            f"raise {endpoint.interface}",
            Call(route.up, endpoint.interface),
            why="an interface is born down, and a veth pair works when both ends are up",
            chapter="08",
        )
        for gateway in endpoint.gateways:
            version6 = ":" in gateway
            if version6 in routed:
                continue  # the first network has the way out
            routed.add(version6)
            # The first network has it, also where the plugins of a later one have made their own already.
            instead = [True] if any(other > number for other in foreign) else []
            yield Step(
                f"go out by {gateway}",
                Call(route.add_route, "default", gateway, endpoint.interface, *instead),
                why="whatever is not on the bridge is handed to the host, which passes it on",
                chapter="08",
            )


def _plain(endpoints: tuple[Endpoint, ...]) -> tuple[str, ...]:
    """The addresses of the first endpoint, without prefix length: published ports lead there."""
    return tuple(address.partition("/")[0] for address in endpoints[0].addresses) if endpoints else ()
