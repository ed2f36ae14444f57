"""Which /etc/hosts, /etc/resolv.conf and /etc/hostname a container gets.

Layer ``container``. It depends on whose network it is on: of its own network, the
host's servers without those on the loopback; of the host's, the host's files; of
another container's, that container's very files, so both see the same names.
What the files are at first is kept in the record, since a start writes them anew:
what is added later are others' names (``network/names.py``), and those come back
with them. ``etc_files.py`` has the contents; read ``wiring.py`` next.
"""

from __future__ import annotations

import os

from minirun.container import etc_files
from minirun.spec import Endpoint, Mount, Port
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.container.options import Options
    from minirun.container.state import Home, Record
    from minirun.spec import Spec


if TYPE_CHECKING:
    #: From the container's addresses, without prefix length, to what the files are at first, by name.
    FilesOf = Callable[[Sequence[str]], dict[str, str]]


class Wired(Value):
    """What a container has got of networks and names."""

    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    files: dict[str, str] = {}
    """What the mounted files are at first, by name; empty where they are another container's."""


def check(options: Options) -> None:
    """Raises UsageError for what --dns and its like, --add-host and --hostname cannot mean."""
    etc_files.check_dns(options.dns, options.dns_search, options.dns_option)
    etc_files.check_add_host(options.add_host)
    etc_files.check_hostname(options.hostname, options.domainname)


def unwired(home: Home, options: Options, owner: int, files_of: FilesOf | None = None) -> Wired:
    """For a container that is on no network of its own. ``owner`` is the host's id of its root."""
    check(options)
    if options.network_mode.startswith("container:"):
        return Wired(mounts=mounts(home, options))
    files = files_of(()) if files_of else contents(options, home.id[:12])
    etc_files.write(home.runtime, files, owner)
    return Wired(mounts=mounts(home, options), files=files)


def contents(options: Options, hostname: str, gateway: str = "") -> dict[str, str]:
    """The three files, by name. ``gateway`` is the host's address on the container's network."""
    is_host = options.network_mode == "host"
    hosts = etc_files.hosts(
        options.add_host,
        "127.0.0.1" if is_host else gateway,
        base=etc_files.host_hosts() if is_host else etc_files.LOCALHOST,
    )
    resolver = etc_files.resolv_conf(
        etc_files.host_resolv_conf(loopback=is_host),
        options.dns,
        options.dns_search,
        options.dns_option,
        loopback=is_host,
    )
    name = os.uname().nodename if options.uts == "host" else options.hostname or hostname
    return {"hosts": hosts, "resolv.conf": resolver, "hostname": f"{name}\n"}


def write_anew(home: Home, record: Record) -> None:
    """Before a start: the files as they were at first, with the addresses of now."""
    if not record.files:
        return
    spec = record.spec
    lasting = [each for each in spec.endpoints if each.driver != "cni"]  # CNI's follow (cni_answer.py)
    own = [address.partition("/")[0] for each in lasting for address in each.addresses]
    lines = etc_files.own_lines(spec.hostname, spec.domainname, own)
    files = {**record.files, "hosts": record.files["hosts"] + lines}
    etc_files.write(home.runtime, files, owner(spec))


def mounts(home: Home, options: Options) -> tuple[Mount, ...]:
    """The mounts of the container's files, or of its lender's; not those that -v brings itself."""
    how, _, name = options.network_mode.partition(":")
    if how == "container":
        lender = home.store.find(name)
        while not _has_files(lender):
            further = lender.record().lenders.get("network")  # it has borrowed them, too
            if not further or not home.store.container(further).exists():
                return ()
            lender = home.store.container(further)
        home = lender
    directory = home.runtime
    return etc_files.mounts(directory, [word.split(":")[1] for word in options.volume if ":" in word])


def _has_files(home: Home) -> bool:
    return all(os.path.exists(f"{home.runtime}/{name}") for name in etc_files.NAMES)


def owner(spec: Spec) -> int:
    """The host's id of the container's root."""
    return next((mapping.hostID for mapping in spec.linux.uidMappings if mapping.containerID == 0), 0)
