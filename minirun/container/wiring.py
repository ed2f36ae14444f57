"""A container's networks: what it gets of them, and what it gives back.

Layer ``container``. Addresses, ports and names are things that one container has
at a time, so they are taken before the plan is made, which only plugs in:

    prepare   wire      an address of the network, the ports, /etc/hosts and its like
    plan      network/attach.py: bridge, cable, published ports; address and route inside
    the end   unwire    in the reverse order; also by whoever sweeps (gc.py)
    start     rewire    the same again, as far as nobody else has it now

An ended container has no address: it comes back with the next start. Imported
by those that have a network only; read ``network/__init__.py`` next.
"""

from __future__ import annotations

from minirun.container import etc_files, name_files, network_words
from minirun.container.name_files import Wired
from minirun.errors import MinirunError, NotFound
from minirun.linux import netlink_route
from minirun.network import addresses, bridge, names, networks, ports, published
from minirun.network.attach import Wiring
from minirun.spec import Endpoint, Port, Spec
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.container.network_words import Wish
    from minirun.container.options import Options
    from minirun.container.state import Home, Record, Store
    from minirun.image.config import ImageConfig
    from minirun.network.networks import Network


def wire(home: Home, name: str, options: Options, image: ImageConfig, owner: int = 0) -> Wired:
    """Takes what ``options`` ask for, all of it or nothing. ``owner`` is the host's id of its root.

    Raises NotFound for a network that is not there, Conflict for what somebody
    else has, UsageError for words that make no sense.
    """
    wishes = network_words.wishes(options)
    name_files.check(options)
    hostname = options.hostname or home.id[:12]
    names.check_name(hostname, "--hostname")
    for alias in (alias for wish in wishes for alias in wish.aliases):
        names.check_name(alias, "--network-alias")
    store = home.store
    asked = _asked_ports(options, image)
    networks_ = [network_of(store.root, wish.network) for wish in wishes]
    try:
        endpoints = tuple(
            endpoint(home, network, wish, number)
            for number, (network, wish) in enumerate(zip(networks_, wishes, strict=True))
        )
        taken = ports.claim(store.state, asked, home.id)
        gateway = next((one for each in endpoints for one in each.gateways), "")
        files = name_files.contents(options, hostname, gateway)
        etc_files.write(home.runtime, _with_own(files, options, endpoints), owner)
        for each in endpoints:
            join(home, each, (name, hostname, home.id[:12], *each.aliases))
    except BaseException:
        release_all(store, home.id)
        raise
    return Wired(
        endpoints=endpoints, ports=taken, mounts=name_files.mounts(home.runtime, options), files=files
    )


def _with_own(files: dict[str, str], options: Options, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    own = [address.partition("/")[0] for each in endpoints for address in each.addresses]
    lines = etc_files.own_lines(options.hostname, options.domainname, own)
    return {**files, "hosts": files["hosts"] + lines}


def network_of(root: str, name: str) -> Network:
    """The network that ``--network NAME`` means; the default one is made when it is first used."""
    if name in ("", "bridge", "default", networks.DEFAULT):
        return networks.default(root)
    return networks.find(root, name)


def endpoint(home: Home, network: Network, wish: Wish, number: int, way_out: bool = True) -> Endpoint:
    """Takes the container's addresses of ``network``, for its interface eth``number``.

    Without ``way_out`` it is not led out of that network by it.
    """
    store, id = home.store, home.id
    given = addresses.take(store.state, network, id, tuple(filter(None, (wish.ip, wish.ip6))))
    networks.confirm(store.root, network)  # with an address of it held, nobody removes it any more
    leads_out = way_out and not network.internal
    return Endpoint(
        network=network.name,
        driver=network.driver,
        bridge=network.bridge,
        interface=f"eth{number}",
        host_interface="" if network.driver == "macvlan" else host_interface(id, number),
        mac=wish.mac or bridge.mac_of(given[0]),
        mtu=network.mtu or netlink_route.default_mtu(),
        addresses=given,
        gateways=tuple(subnet.gateway for subnet in network.subnets if leads_out and subnet.gateway),
        aliases=wish.aliases,
    )


def host_interface(id: str, number: int) -> str:
    """The host's end of the cable to eth``number`` of the container ``id``; 15 characters at most."""
    return f"mr{id[:8]}-{number}" if number else f"mr{id[:10]}"


def _asked_ports(options: Options, image: ImageConfig) -> list[Port]:
    asked = [port for word in options.publish for port in ports.parse(word)]
    if options.publish_all:
        led = {(port.protocol, port.port) for port in asked}
        exposed = [port for word in image.exposed_ports for port in ports.expose(word)]
        asked += [port for port in exposed if (port.protocol, port.port) not in led]
    return asked


def join(home: Home, endpoint: Endpoint, called: Sequence[str]) -> None:
    """Makes the container known on the endpoint's network as each of ``called``."""
    member = names.Member(
        id=home.id,
        names=tuple(dict.fromkeys(called)),
        addresses=tuple(address.partition("/")[0] for address in endpoint.addresses),
        hosts_file=f"{home.runtime}/hosts",
    )
    names.join(home.store.state, endpoint.network, member)


def wiring_of(store: Store, spec: Spec) -> Wiring:
    """What the plan needs beside the Spec. Raises NotFound for a network that was removed."""
    found = tuple(networks.load(store.root, endpoint.network) for endpoint in spec.endpoints)
    return Wiring(state=store.state, networks=found)


def unwire(store: Store, id: str, spec: Spec) -> None:
    """Gives everything back that the container ``id`` has of its networks; gone already is fine."""
    if spec.ports:
        plain = [address.partition("/")[0] for address in spec.endpoints[0].addresses]
        try:
            published.unpublish(spec.ports, plain)
        except OSError:
            pass  # the table is gone, and its elements with it
    for endpoint in spec.endpoints:
        names.leave(store.state, endpoint.network, id)
        addresses.release(store.state, endpoint.network, id)
    if spec.ports:
        ports.release(store.state, id, spec.ports)


def release_all(store: Store, id: str) -> None:
    """The same for a container of which nothing is known but its id."""
    for network in networks.networks(store.root):
        names.leave(store.state, network.name, id)
    addresses.release_all(store.state, id)
    ports.release(store.state, id)


def rewire(home: Home, record: Record) -> Record:
    """Takes anew what an ended container had; the record with what it got this time.

    Its addresses if they are free, others if not. Raises Conflict for a port
    that somebody else has by now, NotFound for a network that is gone.
    """
    store, spec = home.store, record.spec
    unwire(store, home.id, spec)
    try:
        endpoints = tuple(_taken_again(store, home.id, endpoint) for endpoint in spec.endpoints)
        ports.claim(store.state, spec.ports, home.id)
        record = replace(record, spec=replace(spec, endpoints=endpoints))
        name_files.write_anew(home, record)
        for endpoint in endpoints:
            join(home, endpoint, (record.name, spec.hostname, home.id[:12], *endpoint.aliases))
    except BaseException:
        release_all(store, home.id)
        raise
    return record


def _taken_again(store: Store, id: str, endpoint: Endpoint) -> Endpoint:
    network = networks.load(store.root, endpoint.network)
    before = [address.partition("/")[0] for address in endpoint.addresses]
    try:
        given = addresses.take(store.state, network, id, before)
    except MinirunError:  # somebody else's by now, or the network was made anew
        given = addresses.take(store.state, network, id)
    mac = endpoint.mac if given == endpoint.addresses else bridge.mac_of(given[0])
    return replace(endpoint, addresses=given, mac=mac, bridge=network.bridge)


def sweep(store: Store, is_held: Callable[[str], bool]) -> list[str]:
    """Gives back what ids have that are nobody's any more; a line for each. ``is_held(id)`` tells."""
    done = []
    owners = set(ports.owners(store.state).values())
    for network in networks.networks(store.root):
        owners |= set(addresses.owners(store.state, network.name).values())
        owners |= {member.id for member in names.members(store.state, network.name)}
    for id in sorted(owners):
        if not is_held(id):
            release_all(store, id)
            done.append(f"released addresses, ports and names of {id[:12]}")
    return done


def pretended(root: str, options: Options, id: str) -> tuple[Wired, Wiring]:
    """What ``explain`` shows, without taking anything: the first address of each network."""
    wishes = network_words.wishes(options)
    found = tuple(_perhaps(root, wish.network) for wish in wishes)
    endpoints = tuple(
        _pretended(network, wish, id, number)
        for number, (network, wish) in enumerate(zip(found, wishes, strict=True))
    )
    asked = tuple(port for word in options.publish for port in ports.parse(word))
    return Wired(endpoints=endpoints, ports=asked), Wiring(state="", networks=found)


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
        host_interface=host_interface(id, number),
        mac=wish.mac or bridge.mac_of(given[0]),
        mtu=network.mtu or 1500,
        addresses=given,
        gateways=() if network.internal else tuple(subnet.gateway for subnet in network.subnets),
    )
