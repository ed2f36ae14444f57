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

import os

from minirun.container import etc_files, name_files, network_words
from minirun.container.name_files import Wired
from minirun.errors import MinirunError
from minirun.linux import netlink_route
from minirun.network import addresses, bridge, names, networks, ports
from minirun.network.attach import Wiring
from minirun.spec import Endpoint, Port, Spec
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.container.name_files import FilesOf
    from minirun.container.network_words import Wish
    from minirun.container.options import Options
    from minirun.container.state import Home, Record, Store
    from minirun.image.config import ImageConfig
    from minirun.network.networks import Network


def wire(
    home: Home,
    name: str,
    options: Options,
    image: ImageConfig,
    owner: int = 0,
    files_of: FilesOf | None = None,
) -> Wired:
    """Takes what ``options`` ask for, all of it or nothing. ``owner`` is the host's id of its root.

    ``files_of`` says what /etc/hosts and its like shall be, where that is not a
    plain container's: a pod goes by its hostname alone.
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
    networks_ = [None if wish.is_cni else network_of(store, wish.network) for wish in wishes]
    if networks_[0]:
        ports.check_published(networks_[0], asked)
    try:
        endpoints = tuple(
            endpoint(home, network, wish, number) if network else of_cni(wish, number, options)
            for number, (network, wish) in enumerate(zip(networks_, wishes, strict=True))
        )
        taken = _claimed(home, endpoints, asked)
        own = _own(endpoints)
        if len(own) < len(endpoints):
            _check_cni(home.id, endpoints, taken)
        gateway = next((one for each in own for one in each.gateways), "")
        if not gateway and len(own) < len(endpoints):
            gateway = etc_files.HOST_GATEWAY  # the plugins will tell (cni_answer.py)
        called = (hostname, home.id[:12]) if files_of else (name, hostname, home.id[:12])
        if files_of:
            files = files_of([address.partition("/")[0] for each in own for address in each.addresses])
        else:
            files = name_files.contents(options, hostname, gateway)
        etc_files.write(home.runtime, _with_own(files, options, own), owner)
        for each in own:
            join(home, each, (*called, *each.aliases))
    except BaseException:
        release_all(store, home.id)
        raise
    return Wired(endpoints=endpoints, ports=taken, mounts=name_files.mounts(home, options), files=files)


def _with_own(files: dict[str, str], options: Options, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    own = [address.partition("/")[0] for each in endpoints for address in each.addresses]
    lines = etc_files.own_lines(options.hostname, options.domainname, own)
    return {**files, "hosts": files["hosts"] + lines}


def _own(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Those on networks of minirun's; what there is to do for the others is in cni_wiring.py."""
    return [each for each in endpoints if each.driver != "cni"]


def of_cni(wish: Wish, number: int, options: Options) -> Endpoint:
    """What ``wish`` asks of a network of CNI's; nothing is taken. Raises NotFound."""
    from minirun.container import cni_wiring

    return cni_wiring.endpoint(wish, number, cni_wiring.resolver_of(options))


def _check_cni(id: str, endpoints: Sequence[Endpoint], taken: Sequence[Port]) -> None:
    from minirun.container import cni_wiring

    cni_wiring.check(id, endpoints, taken)


def network_of(store: Store, name: str) -> Network:
    """The network that ``--network NAME`` means; the default one is made when it is first used."""
    if name in ("", "bridge", "default", networks.DEFAULT):
        network = networks.default(store.root)
        if not os.path.exists(f"{store.state}/networks/{network.name}/ready"):
            from minirun.network import first_use

            network = first_use.settled(store.root, store.state, network)
        return network
    return networks.find(store.root, name)


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
        mtu=network.mtu or _mtu(network),
        addresses=given,
        gateways=tuple(subnet.gateway for subnet in network.subnets if leads_out and subnet.gateway),
        aliases=wish.aliases,
    )


def _mtu(network: Network) -> int:
    """The uplink's; of a macvlan its parent's, which it may not exceed."""
    index = netlink_route.index(network.bridge) if network.driver == "macvlan" else 0
    if not index:
        return netlink_route.default_mtu()
    from minirun.linux.netlink_listing import link

    return link(index).mtu


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


def _claimed(home: Home, endpoints: Sequence[Endpoint], asked: Sequence[Port]) -> tuple[Port, ...]:
    """The ports, which lead to the first network's addresses; a plugin of CNI's publishes by itself."""
    addresses = endpoints[0].addresses if endpoints and endpoints[0].driver != "cni" else ()
    return ports.claim(home.store.state, asked, home.id, addresses)


def join(home: Home, endpoint: Endpoint, called: Sequence[str]) -> None:
    """Makes the container known on the endpoint's network as each of ``called``."""
    member = names.Member(
        id=home.id,
        names=tuple(dict.fromkeys(filter(None, called))),  # --uts host has no hostname of its own
        addresses=tuple(address.partition("/")[0] for address in endpoint.addresses),
        hosts_file=f"{home.runtime}/hosts",
    )
    names.join(home.store.state, endpoint.network, member)


def wiring_of(home: Home, record: Record) -> Wiring:
    """What the plan needs beside the Spec. Raises NotFound for a network that was removed."""
    store, spec = home.store, record.spec
    found = tuple(
        None if endpoint.driver == "cni" else networks.load(store.root, endpoint.network)
        for endpoint in spec.endpoints
    )
    if None not in found:
        return Wiring(state=store.state, networks=found)
    from minirun.container import cni_answer, cni_wiring

    steps = cni_wiring.steps(cni_answer.guest_of(home, record), spec.endpoints, spec.ports)
    return Wiring(state=store.state, networks=found, steps=steps)


def unwire(store: Store, id: str, spec: Spec) -> None:
    """Gives everything back that the container ``id`` has of its networks; gone already is fine."""
    own = _own(spec.endpoints)
    is_led = bool(spec.ports) and spec.endpoints[0] in own
    if is_led:  # first: what leads to its address must not lead to who has that next
        ports.release(store.state, id, spec.ports)
    for endpoint in own:
        names.leave(store.state, endpoint.network, id)
        addresses.release(store.state, endpoint.network, id)
    if len(own) < len(spec.endpoints) or os.path.exists(store.container(id).netns):
        from minirun.container import cni_wiring

        cni_wiring.leave(store, id)
    if spec.ports and not is_led:  # last: it is a plugin that leads them, until it has left
        ports.release(store.state, id, spec.ports)


def release_all(store: Store, id: str) -> None:
    """The same for a container of which nothing is known but its id."""
    if os.path.exists(store.container(id).netns):
        from minirun.container import cni_wiring

        cni_wiring.leave(store, id)
    ports.release(store.state, id)
    for network in networks.networks(store.root):
        names.leave(store.state, network.name, id)
    addresses.release_all(store.state, id)


def rewire(home: Home, record: Record) -> Record:
    """Takes anew what an ended container had; the record with what it got this time.

    Its addresses if they are free, others if not. Raises Conflict for a port
    that somebody else has by now, NotFound for a network that is gone.
    """
    store, spec = home.store, record.spec
    unwire(store, home.id, spec)
    own = _own(spec.endpoints)
    for endpoint in own:
        if endpoint.host_interface:  # somebody else is in its old network namespace still, and keeps that
            netlink_route.delete_link(endpoint.host_interface)
    if len(own) < len(spec.endpoints):
        from minirun.container import cni_wiring

        cni_wiring.ready_again(store, home.id, spec)
    try:
        endpoints = tuple(
            _taken_again(store, home.id, each) if each in own else each for each in spec.endpoints
        )
        _claimed(home, endpoints, spec.ports)
        record = replace(record, spec=replace(spec, endpoints=endpoints))
        name_files.write_anew(home, record)
        for endpoint in _own(endpoints):
            join(home, endpoint, (record.name, spec.hostname, home.id[:12], *endpoint.aliases))
    except BaseException:
        release_all(store, home.id)
        raise
    return record


def _taken_again(store: Store, id: str, endpoint: Endpoint) -> Endpoint:
    is_default = endpoint.network == networks.DEFAULT
    network = network_of(store, "") if is_default else networks.load(store.root, endpoint.network)
    before = [address.partition("/")[0] for address in endpoint.addresses]
    try:
        given = addresses.take(store.state, network, id, before)
    except MinirunError:  # somebody else's by now, or the network was made anew
        given = addresses.take(store.state, network, id)
    mac = endpoint.mac if given == endpoint.addresses else bridge.mac_of(given[0])
    ways = tuple(subnet.gateway for subnet in network.subnets if endpoint.gateways and subnet.gateway)
    return replace(endpoint, addresses=given, mac=mac, bridge=network.bridge, gateways=ways)


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
