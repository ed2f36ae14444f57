"""A container on CNI's networks: what it asks of the plugins, and what follows from their answer.

Layer ``container``, beside ``wiring.py``, which takes for minirun's own networks
before the plan what here only the plugins can give, during it:

    prepare   endpoint  what was asked for; the conflist is there
              check     and so are its plugins, which can do what was asked
    plan      steps     the namespace is held on to, ADD, make_known: names, resolv.conf
    the end   leave     DEL for all that is on record, also by whoever sweeps (gc.py)

What ADD did is on record below ROOT/cni, which outlives a reboot, as what the
plugins keep does (an address in /var/lib/cni). Imported by those that have a CNI
network only. Read ``network/cni/__init__.py`` next.
"""

from __future__ import annotations

import os

from minirun.container import network_words
from minirun.container.cni_answer import Guest, join, make_known
from minirun.container.locks import Lock, is_looked_after
from minirun.container.names import is_held
from minirun.errors import InvalidInput, MinirunError, StepFailed, reason
from minirun.linux import namespace
from minirun.network import cni, names
from minirun.network.cni.steps import answer_to
from minirun.spec import Endpoint, Resolver
from minirun.steps import HOST, Call, Step
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.container.network_words import Wish
    from minirun.container.options import Options
    from minirun.container.state import Home, Store
    from minirun.network.cni import Attachment, NetworkConfig, RuntimeConfig
    from minirun.spec import Port, Spec

#: How long a plugin may take, in seconds.
TIMEOUT = 60.0


# --- before anything starts --------------------------------------------------


def endpoint(wish: Wish, number: int, resolver: Resolver | None = None) -> Endpoint:
    """What ``wish`` asks of its network, for the interface eth``number``. Raises NotFound, InvalidInput."""
    name = wish.network.removeprefix(network_words.CNI)
    cni.load(name)
    asked = tuple(filter(None, (wish.ip, wish.ip6)))
    for address in asked:
        _check_address(address)
    return Endpoint(
        network=name,
        driver="cni",
        interface=f"eth{number}",
        mac=wish.mac,
        mtu=0,
        addresses=asked,
        aliases=wish.aliases,
        resolver=resolver,
    )


def resolver_of(options: Options) -> Resolver | None:
    """What --dns and its like ask for."""
    asked = Resolver(servers=options.dns, searches=options.dns_search, options=options.dns_option)
    return asked if asked != Resolver() else None


def check(id: str, endpoints: Sequence[Endpoint], ports: Sequence[Port]) -> None:
    """Raises Unsupported and its like for what the networks of ``endpoints`` cannot do for a container."""
    for each in endpoints:
        if each.driver == "cni":
            config = cni.load(each.network)
            cni.refuse(config, id, each.interface, _ports(each, endpoints, ports), _asked(config, each))


def ready_again(store: Store, id: str, spec: Spec) -> None:
    """The same before another start; what DEL could not take away the last time has to be gone now."""
    for error in leave(store, id):
        raise error
    check(id, spec.endpoints, spec.ports)


def _check_address(text: str) -> None:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not an IP address", str(error), "write --ip 10.87.0.9") from error


def _ports(each: Endpoint, endpoints: Sequence[Endpoint], ports: Sequence[Port]) -> tuple[Port, ...]:
    """The first network publishes them."""
    return tuple(ports) if each == endpoints[0] else ()


def _asked(config: NetworkConfig, each: Endpoint) -> RuntimeConfig:
    """What the plugins have to do, and what those are told that can make use of it."""
    able = {name for plugin in config.plugins for name, is_so in plugin.capabilities.items() if is_so}
    dns = each.resolver
    if dns:
        dns = replace(dns, searches=tuple(word for word in dns.searches if word != "."))
    return cni.RuntimeConfig(
        mac=each.mac,
        ips=each.addresses,
        dns=dns if "dns" in able else None,
        aliases=each.aliases if "aliases" in able else (),
    )


# --- the plan ----------------------------------------------------------------


def steps(guest: Guest, endpoints: Sequence[Endpoint], ports: Sequence[Port]) -> dict[str, tuple[Step, ...]]:
    """By interface, what the host side does for each endpoint of CNI's. Raises NotFound, InvalidInput."""
    found: dict[str, tuple[Step, ...]] = {}
    for each in endpoints:
        if each.driver == "cni":
            first = () if found else (cni.keep_netns(guest.home.netns),)
            found[each.interface] = (*first, *_steps(guest, each, _ports(each, endpoints, ports)))
    return found


def _steps(guest: Guest, each: Endpoint, ports: tuple[Port, ...]) -> tuple[Step, Step]:
    config = cni.load(each.network)
    store = guest.home.store
    add = cni.plug_in(
        config,
        guest.home.id,
        guest.home.netns,
        each.interface,
        ports,
        store.root,
        TIMEOUT,
        _asked(config, each),
    )
    known = Step(
        f"make it known on the CNI network {config.name}",
        Call(make_known, guest, each, answer_to(each.interface)),
        why="its address is known only now; who is on the same network finds it by name in /etc/hosts",
        side=HOST,
        undo=[Call(names.leave, store.state, network_words.word(each), guest.home.id)],
        chapter="08",
    )
    return add, known


# --- while it runs -----------------------------------------------------------


def plug_in(guest: Guest, each: Endpoint, pid: int) -> None:
    """ADD for a container that runs. If it fails, nothing of it is left."""
    home = guest.home
    _hold_on(home, pid)
    config = cni.load(each.network)
    where = (config, home.id, home.netns, each.interface)
    answer = cni.add(*where, state=home.store.root, timeout=TIMEOUT, asked=_asked(config, each))
    try:
        join(guest, each, answer)
    except BaseException:
        unplug(home, each)
        raise


def _hold_on(home: Home, pid: int) -> None:
    """As a start with a CNI network does; what is there may be of the life before a crash."""
    own = f"/proc/{pid}/ns/net"
    if not (namespace.is_kept(home.netns) and os.path.samefile(home.netns, own)):
        namespace.let_go(home.netns)
        namespace.keep(own, home.netns)


def unplug(home: Home, each: Endpoint) -> None:
    """DEL for one network; gone already is fine. Raises PluginFailed and its like."""
    names.leave(home.store.state, network_words.word(each), home.id)
    cni.delete(each.network, home.id, _netns(home), each.interface, home.store.root, timeout=TIMEOUT)


# --- the end -----------------------------------------------------------------


def leave(store: Store, id: str) -> list[MinirunError]:
    """Takes a container that has ended off all its CNI networks; gone already is fine.

    What a plugin could not take away stays on record, for ``gc``: the errors of
    these are the answer, since nobody's removal has to wait for a broken plugin.
    """
    home = store.container(id)
    for network in _networks(store):
        names.leave(store.state, network, id)
    found, errors = cni.attachments_of(store.root, id)
    for attachment in sorted(found, key=lambda one: one.interface, reverse=True):
        name = attachment.config.name
        try:
            cni.delete(name, id, _netns(home), attachment.interface, store.root, timeout=TIMEOUT)
        except MinirunError as error:
            errors.append(error)
        except OSError as error:  # no space is left for a lock
            errors.append(StepFailed(f"cannot take {id[:12]} off the CNI network {name}", reason(error)))
    namespace.let_go(home.netns)
    return errors


def _netns(home: Home) -> str:
    """For DEL: empty where nobody held on to it (SPEC.md, "DEL")."""
    return home.netns if namespace.is_kept(home.netns) else ""


def sweep(store: Store) -> list[str]:
    """Takes off what belongs to no container that runs; a line for each."""
    for network in _networks(store):
        for member in names.members(store.state, network):
            if not is_held(store, member.id):
                names.leave(store.state, network, member.id)
    removed, errors = cni.collect(
        store.root,
        lambda one: _is_alive(store, one),
        timeout=TIMEOUT,
        netns_of=lambda one: _netns(store.container(one.container_id)),
    )
    for one in removed:
        names.leave(store.state, f"{network_words.CNI}{one.config.name}", one.container_id)
    told = [f"took {one.container_id[:12]} off the CNI network {one.config.name}" for one in removed]
    return told + [f"{error.what}: {error.why}; {error.remedy}" for error in errors]


def _is_alive(store: Store, attachment: Attachment) -> bool:
    home = store.container(attachment.container_id)
    if not is_looked_after(home):
        return False
    try:
        record = home.record() if home.exists() else home.pending()
    except MinirunError:
        record = None
    mine = (attachment.config.name, attachment.interface)
    if record and any((each.network, each.interface) == mine for each in record.spec.endpoints):
        return True
    lock = Lock(home)
    if not lock.acquire(wait=False):
        return True  # somebody connects it just now, and will note that (connect.py)
    lock.release()
    return False


def _networks(store: Store) -> list[str]:
    """The CNI networks of which names.py knows members."""
    try:
        found = os.listdir(f"{store.state}/networks")
    except FileNotFoundError:
        return []
    return [name for name in found if name.startswith(network_words.CNI)]
