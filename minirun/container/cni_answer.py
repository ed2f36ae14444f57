"""What follows from the answer of CNI's plugins: a container's names, and its /etc files.

Layer ``container``. Which address a container has is known after ADD only. Then
its own hosts file and its neighbours' are completed, resolv.conf gets the servers
of the network (unless the user named others), and ``inspect`` shows what came
to be instead of what was asked for. Part of ``cni_wiring.py``.
"""

from __future__ import annotations

from minirun.container import etc_files, name_files, network_words
from minirun.errors import MinirunError, StepFailed
from minirun.network import cni, hosts_file, names
from minirun.spec import Endpoint, Resolver
from minirun.steps import Ref, syscall
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from minirun.container.state import Home, Record
    from minirun.network.cni import Result


class Guest(Value):
    """The container as its files and neighbours have to know it. ``owner`` is the host's id of its root."""

    home: Home
    name: str
    hostname: str = ""
    domainname: str = ""
    owner: int = 0

    def called(self, endpoint: Endpoint) -> tuple[str, ...]:
        """What the others on the endpoint's network may call it."""
        every = (self.name, self.hostname, self.home.id[:12], *endpoint.aliases)
        return tuple(dict.fromkeys(filter(None, every)))


def guest_of(home: Home, record: Record) -> Guest:
    """The container of ``record``."""
    spec = record.spec
    return Guest(
        home=home,
        name="" if record.pod else record.name,  # a pod goes by its hostname alone
        hostname=spec.hostname,
        domainname=spec.domainname,
        owner=name_files.owner(spec),
    )


def _show_known(guest: Guest, each: Endpoint, answer: Result | Ref) -> str:
    where = answer if isinstance(answer, Ref) else " ".join(_plain(answer, each))
    return f'pwrite64("{guest.home.runtime}/hosts", "{where}\\t{" ".join(guest.called(each))}")'


@syscall("pwrite64", "hosts(5)", show=_show_known)
def make_known(guest: Guest, each: Endpoint, answer: Result) -> None:
    """Writes what the plugins answered into the container's /etc files, and into its neighbours'."""
    _complete_hosts(guest, each, answer)
    _complete_resolver(guest, each, answer)
    join(guest, each, answer)


def join(guest: Guest, each: Endpoint, answer: Result) -> None:
    """Makes it and the others on the network known to each other."""
    member = names.Member(
        id=guest.home.id,
        names=guest.called(each),
        addresses=_plain(answer, each),
        hosts_file=f"{guest.home.runtime}/hosts",
    )
    names.join(guest.home.store.state, network_words.word(each), member)


def _plain(answer: Result, each: Endpoint) -> tuple[str, ...]:
    """Its addresses without prefix length."""
    return tuple(ip.address.partition("/")[0] for ip in answer.addresses(each.interface))


def _complete_hosts(guest: Guest, each: Endpoint, answer: Result) -> None:
    """Its full name, and who is meant by host-gateway: what had to wait for the addresses."""
    path = f"{guest.home.runtime}/hosts"
    lines = etc_files.own_lines(guest.hostname, guest.domainname, _plain(answer, each))
    hosts_file.add(path, lines.encode().splitlines())
    with open(path, "rb") as file:
        waiting = [line for line in file.read().splitlines() if line.startswith(_WAITING)]
    if not waiting:
        return
    gateway = next((ip.gateway for ip in answer.addresses(each.interface) if ip.gateway), "")
    if not gateway:
        raise StepFailed(
            f"--add-host NAME:{etc_files.HOST_GATEWAY} cannot be had",
            f"CNI network {each.network} told of no gateway",
            "give the address of the host yourself",
        )
    hosts_file.remove(path, waiting)
    hosts_file.add(path, [gateway.encode() + line[len(_WAITING) - 1 :] for line in waiting])


_WAITING = f"{etc_files.HOST_GATEWAY}\t".encode()


def _complete_resolver(guest: Guest, each: Endpoint, answer: Result) -> None:
    """The network's own servers and domains, as far as the user did not name others."""
    dns, asked = answer.dns, each.resolver or Resolver()
    servers = () if asked.servers else dns.nameservers
    search = () if asked.searches else dns.search or tuple(filter(None, (dns.domain,)))
    options = () if asked.options else dns.options
    if not (servers or search or options):
        return
    with open(f"{guest.home.runtime}/resolv.conf", errors="surrogateescape") as file:
        before = file.read()
    text = etc_files.resolv_conf(before, servers, search, options, loopback=True)
    etc_files.write(guest.home.runtime, {"resolv.conf": text}, guest.owner)


def seen(home: Home, each: Endpoint) -> Endpoint:
    """The endpoint as it came to be, for ``inspect``: from the record of its ADD."""
    try:
        attachment = cni.find(home.store.root, each.network, home.id, each.interface)
        answer = attachment.answer() if attachment else cni.Result()
    except MinirunError:
        return each  # damaged; gc tells
    inside = [link for link in answer.interfaces if link.sandbox and link.name == each.interface]
    given = answer.addresses(each.interface)
    return replace(
        each,
        mac=inside[0].mac if inside else each.mac,
        mtu=inside[0].mtu if inside else each.mtu,
        addresses=tuple(ip.address for ip in given),
        gateways=tuple(ip.gateway for ip in given if ip.gateway),
    )
