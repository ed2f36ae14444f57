"""connect and disconnect: one more network for a container, or one less, also while it runs.

Layer ``container``. What a start does as steps of its plan is done here to a
process that lives: the cable from outside, and from inside, by a child that
steps into the container's network namespace for a moment, address and link.
The record changes with it, so the next start finds the same. Read ``wiring.py``
for what is taken and given back.
"""

from __future__ import annotations

import os

from minirun.container import wiring
from minirun.container.locks import Lock
from minirun.errors import Conflict, NotFound, StepFailed, UsageError, reason
from minirun.linux import namespace, netlink_route
from minirun.linux.namespace import CloneFlag
from minirun.linux.trial import TrialFailed, in_child
from minirun.network import addresses, bridge, names, networks
from minirun.spec import Endpoint
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.container.state import Home, Record
    from minirun.network.networks import Network


def connect(home: Home, wanted: str, ip: str = "", ip6: str = "", aliases: Sequence[str] = ()) -> None:
    """Puts the container on the network ``wanted`` as well; its default route stays.

    Raises Conflict where it is on it already or has no network of its own.
    """
    network = wiring.network_of(home.store.root, wanted)
    with Lock(home):
        record = home.record()
        _check_may(record, network)
        pid = home.live_pid()
        endpoint = _take(home, record, network, tuple(filter(None, (ip, ip6))), tuple(aliases))
        try:
            if pid:
                _plug_in(network, endpoint, home.store.state, pid)
                wiring.join(home, endpoint, _called(home, record, endpoint))
            spec = replace(record.spec, endpoints=(*record.spec.endpoints, endpoint))
            home.write_record(replace(record, spec=spec))
        except BaseException:
            _give_back(home, endpoint)
            raise
        if not pid:
            _give_back(home, endpoint)  # who does not run has no address; the start takes it anew


def disconnect(home: Home, wanted: str) -> None:
    """Takes the container off the network. Raises NotFound where it is not on it, Conflict for its last."""
    with Lock(home):
        record = home.record()
        endpoint = next((one for one in record.spec.endpoints if one.network == wanted), None)
        if endpoint is None:
            on = ", ".join(one.network for one in record.spec.endpoints) or "none"
            raise NotFound(
                f"container {record.name} is not on network {wanted}",
                f"it is on {on}",
                "minirun inspect tells",
            )
        if endpoint == record.spec.endpoints[0] and record.spec.ports:
            raise Conflict(
                f"container {record.name} cannot leave network {wanted}",
                "its published ports lead there",
                "remove the container, and make it without --publish",
            )
        if home.live_pid():
            _unplug(endpoint, home.live_pid())
        _give_back(home, endpoint)
        left = tuple(one for one in record.spec.endpoints if one != endpoint)
        home.write_record(replace(record, spec=replace(record.spec, endpoints=left)))


def _check_may(record: Record, network: Network) -> None:
    if any(endpoint.network == network.name for endpoint in record.spec.endpoints):
        raise Conflict(
            f"container {record.name} is on network {network.name} already",
            "once is enough",
            "nothing has to be done",
        )
    own = next((one for one in record.spec.linux.namespaces if one.type == "network"), None)
    if own is None or own.path:
        whose = "another's" if own else "the host's"
        raise UsageError(
            f"container {record.name} cannot be connected to {network.name}",
            f"it has no network of its own: it uses {whose}",
            "make it with --network " + network.name,
        )


def _take(
    home: Home, record: Record, network: Network, wanted: tuple[str, ...], aliases: tuple[str, ...]
) -> Endpoint:
    used = {endpoint.interface for endpoint in record.spec.endpoints}
    free = next(f"eth{number}" for number in range(100) if f"eth{number}" not in used)
    given = addresses.take(home.store.state, network, home.id, wanted)
    networks.confirm(home.store.root, network)
    return Endpoint(
        network=network.name,
        driver=network.driver,
        bridge=network.bridge,
        interface=free,
        host_interface="" if network.driver == "macvlan" else f"mr{home.id[:7]}{os.urandom(2).hex()[:3]}",
        mac=bridge.mac_of(given[0]),
        mtu=network.mtu or netlink_route.default_mtu(),
        addresses=given,
        # The first network has the way out; the first of all is a way out where there was none.
        gateways=()
        if network.internal or record.spec.endpoints
        else tuple(subnet.gateway for subnet in network.subnets if subnet.gateway),
        aliases=aliases,
    )


def _plug_in(network: Network, endpoint: Endpoint, state: str, pid: int) -> None:
    bridge.ensure(network, state)
    if endpoint.driver == "macvlan":
        netlink_route.create_macvlan(endpoint.interface, endpoint.bridge, endpoint.mtu, endpoint.mac, pid)
    else:
        netlink_route.create_veth(
            endpoint.host_interface, endpoint.bridge, endpoint.mtu, endpoint.interface, endpoint.mac, pid
        )

    def inside() -> None:
        namespace.join(f"/proc/{pid}/ns/net", CloneFlag.NEWNET)
        for address in endpoint.addresses:
            netlink_route.add_address(endpoint.interface, address)
        netlink_route.up(endpoint.interface)
        for gateway in endpoint.gateways:
            netlink_route.add_route("default", gateway, endpoint.interface)

    try:
        in_child(inside)
    except TrialFailed as error:
        raise StepFailed(
            f"cannot set {endpoint.interface} up in the container",
            str(error),
            "minirun network map shows more",
        ) from error


def _unplug(endpoint: Endpoint, pid: int) -> None:
    if endpoint.host_interface:
        netlink_route.delete_link(endpoint.host_interface)
        return

    def inside() -> None:
        namespace.join(f"/proc/{pid}/ns/net", CloneFlag.NEWNET)
        netlink_route.delete_link(endpoint.interface)

    in_child(inside)


def _called(home: Home, record: Record, endpoint: Endpoint) -> tuple[str, ...]:
    return (record.name, record.spec.hostname, home.id[:12], *endpoint.aliases)


def _give_back(home: Home, endpoint: Endpoint) -> None:
    state = home.store.state
    names.leave(state, endpoint.network, home.id)
    addresses.release(state, endpoint.network, home.id)
    try:
        if endpoint.host_interface and netlink_route.index(endpoint.host_interface):
            netlink_route.delete_link(endpoint.host_interface)
    except OSError as error:
        raise StepFailed(f"cannot remove {endpoint.host_interface}", reason(error)) from error
