"""connect and disconnect: one more network for a container, or one less, also while it runs.

Layer ``container``. What a start does as steps of its plan is done here to a
process that lives: the cable from outside, and from inside, by a child that
steps into the container's network namespace for a moment, address and link.
The record changes with it, so the next start finds the same. Read ``wiring.py``
for what is taken and given back.
"""

from __future__ import annotations

from minirun.container import monitor, network_words, wiring
from minirun.container.locks import Lock
from minirun.container.network_words import Wish
from minirun.errors import Conflict, NotFound, StepFailed, UsageError, reason
from minirun.linux import namespace, netlink_route
from minirun.linux.namespace import CloneFlag
from minirun.linux.trial import TrialFailed, in_child
from minirun.network import addresses, bridge, names
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
    wish = Wish(network=wanted, ip=ip, ip6=ip6, aliases=tuple(aliases))
    if wish.is_cni:
        _connect_cni(home, wish)
        return
    network = wiring.network_of(home.store, wanted)
    wish = replace(wish, network=network.name)
    with Lock(home):
        record = home.record()
        _check_kernel(record)
        _check_may(record, network.name)
        pid = home.live_pid()
        endpoint = _take(home, record, network, wish)
        try:
            if pid:
                _leave_word(home)
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
        _check_kernel(record)
        endpoint = next((one for one in record.spec.endpoints if network_words.word(one) == wanted), None)
        if endpoint is None:
            on = ", ".join(map(network_words.word, record.spec.endpoints)) or "none"
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
        if endpoint.driver == "cni":
            from minirun.container import cni_wiring

            cni_wiring.unplug(home, endpoint)
        else:
            if home.live_pid():
                _unplug(endpoint, home.live_pid())
            _give_back(home, endpoint)
        left = tuple(one for one in record.spec.endpoints if one != endpoint)
        home.write_record(replace(record, spec=replace(record.spec, endpoints=left)))


def _connect_cni(home: Home, wish: Wish) -> None:
    """The same by CNI's plugins, which do all of it from outside."""
    from minirun.container import cni_answer, cni_wiring

    with Lock(home):
        record = home.record()
        _check_kernel(record)
        _check_may(record, wish.network)
        endpoint = cni_wiring.endpoint(wish, _free(record))
        cni_wiring.check(home.id, (endpoint,), ())
        spec = replace(record.spec, endpoints=(*record.spec.endpoints, endpoint))
        if pid := home.live_pid():
            _leave_word(home)
            cni_wiring.plug_in(cni_answer.guest_of(home, record), endpoint, pid)
        try:
            home.write_record(replace(record, spec=spec))
        except BaseException:
            cni_wiring.unplug(home, endpoint)
            raise


def _check_kernel(record: Record) -> None:
    """A kernel of its own looks at its interfaces once, when it starts."""
    if record.runtime:
        from minirun.container.oci import guest

        guest.refuse(record, "change the networks of")


def _check_may(record: Record, network: str) -> None:
    if any(network_words.word(endpoint) == network for endpoint in record.spec.endpoints):
        raise Conflict(
            f"container {record.name} is on network {network} already",
            "once is enough",
            "nothing has to be done",
        )
    own = next((one for one in record.spec.linux.namespaces if one.type == "network"), None)
    if own is None or own.path:
        whose = "another's" if own else "the host's"
        raise UsageError(
            f"container {record.name} cannot be connected to {network}",
            f"it has no network of its own: it uses {whose}",
            "make it with --network " + network,
        )


def _take(home: Home, record: Record, network: Network, wish: Wish) -> Endpoint:
    # The first network has the way out; the first of all is a way out where there was none.
    return wiring.endpoint(home, network, wish, _free(record), way_out=not record.spec.endpoints)


def _free(record: Record) -> int:
    """The number of an interface that it does not have yet."""
    used = {endpoint.interface for endpoint in record.spec.endpoints}
    return next(number for number in range(len(used) + 1) if f"eth{number}" not in used)


def _leave_word(home: Home) -> None:
    """Its monitor has not heard of networks, and looks for this before it ends without giving any back."""
    with open(f"{home.runtime}/{monitor.CONNECTED}", "w"):
        pass


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
