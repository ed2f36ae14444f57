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

from minirun.container import etc_files
from minirun.errors import MinirunError, NotFound
from minirun.linux import netlink_route
from minirun.network import addresses, bridge, names, networks, ports, published
from minirun.network.attach import Wiring
from minirun.spec import Endpoint, Mount, Port, Spec
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.container.options import Options
    from minirun.container.state import Home, Record, Store
    from minirun.image.config import ImageConfig
    from minirun.network.networks import Network


class Wired(Value):
    """What a container has got: fields of its Spec."""

    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()


def wire(home: Home, name: str, options: Options, image: ImageConfig) -> Wired:
    """Takes what ``options`` ask for, all of it or nothing.

    Raises NotFound for a network that is not there, Conflict for what somebody
    else has, UsageError for words that make no sense.
    """
    hostname = options.hostname or home.id[:12]
    for word, said in (
        (hostname, "--hostname"),
        *((one, "--network-alias") for one in options.network_alias),
    ):
        names.check_name(word, said)
    etc_files.check_dns(options.dns, options.dns_search, options.dns_option)
    etc_files.check_add_host(options.add_host)
    store = home.store
    network = network_of(store.root, options.network)
    wanted = tuple(filter(None, (options.ip, options.ip6)))
    try:
        endpoint = _endpoint(store, home.id, network, options, wanted)
        taken = ports.claim(store.state, _asked_ports(options, image), home.id)
        _write_files(home, options, endpoint)
        join(home, endpoint, (name, hostname, home.id[:12], *options.network_alias))
    except BaseException:
        release_all(store, home.id)
        raise
    targets = [mount.split(":")[1] for mount in options.volume if ":" in mount]
    return Wired(endpoints=(endpoint,), ports=taken, mounts=etc_files.mounts(home.runtime, targets))


def network_of(root: str, name: str) -> Network:
    """The network that ``--network NAME`` means; the default one is made when it is first used."""
    if name in ("", "bridge", "default", networks.DEFAULT):
        return networks.default(root)
    return networks.find(root, name)


def _endpoint(store: Store, id: str, network: Network, options: Options, wanted: Sequence[str]) -> Endpoint:
    given = addresses.take(store.state, network, id, wanted)
    networks.confirm(store.root, network)  # with an address of it held, nobody removes it any more
    way_out = (
        () if network.internal else tuple(subnet.gateway for subnet in network.subnets if subnet.gateway)
    )
    return Endpoint(
        network=network.name,
        driver=network.driver,
        bridge=network.bridge,
        host_interface="" if network.driver == "macvlan" else f"mr{id[:10]}",
        mac=options.mac_address or bridge.mac_of(given[0]),
        mtu=network.mtu or netlink_route.default_mtu(),
        addresses=given,
        gateways=way_out,
        aliases=options.network_alias,
    )


def _asked_ports(options: Options, image: ImageConfig) -> list[Port]:
    asked = [port for word in options.publish for port in ports.parse(word)]
    if options.publish_all:
        led = {(port.protocol, port.port) for port in asked}
        exposed = [port for word in image.exposed_ports for port in ports.expose(word)]
        asked += [port for port in exposed if (port.protocol, port.port) not in led]
    return asked


def _write_files(home: Home, options: Options, endpoint: Endpoint) -> None:
    gateway = next(iter(endpoint.gateways), "")
    hosts = etc_files.hosts(
        options.hostname or home.id[:12],
        options.domainname,
        [address.partition("/")[0] for address in endpoint.addresses] if options.domainname else (),
        options.add_host,
        gateway,
    )
    resolver = etc_files.resolv_conf(
        etc_files.host_resolv_conf(), options.dns, options.dns_search, options.dns_option
    )
    etc_files.write(home.runtime, hosts, resolver, options.hostname or home.id[:12])


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
        for endpoint in endpoints:
            join(home, endpoint, (record.name, spec.hostname, home.id[:12], *endpoint.aliases))
    except BaseException:
        release_all(store, home.id)
        raise
    return replace(record, spec=replace(spec, endpoints=endpoints))


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
    """What ``explain`` shows, without taking anything: the first address of the network."""
    try:
        network = networks.load(root, options.network or networks.DEFAULT)
    except NotFound:
        subnet = networks.Subnet(cidr="10.87.0.0/16", gateway="10.87.0.1")
        network = networks.Network(name=networks.DEFAULT, id="", bridge="minirun0", subnets=(subnet,))
    given = tuple(
        f"{subnet.gateway.rpartition(mark)[0]}{mark}2/{subnet.cidr.rpartition('/')[2]}"
        for subnet in network.subnets
        for mark in (":" if ":" in subnet.gateway else ".",)
    )
    endpoint = Endpoint(
        network=network.name,
        driver=network.driver,
        bridge=network.bridge,
        host_interface=f"mr{id[:10]}",
        mac=options.mac_address or bridge.mac_of(given[0]),
        mtu=network.mtu or 1500,
        addresses=given,
        gateways=() if network.internal else tuple(subnet.gateway for subnet in network.subnets),
    )
    asked = tuple(port for word in options.publish for port in ports.parse(word))
    return Wired(endpoints=(endpoint,), ports=asked), Wiring(state="", networks=(network,))
