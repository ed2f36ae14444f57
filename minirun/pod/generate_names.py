"""From a container's /etc/hosts and /etc/resolv.conf to hostAliases and dnsConfig.

Part of ``generate.py``; pure but for a look at the host's own files. Said is what they
have that a container gets by a flag only: --add-host, --dns, --dns-search, --dns-option.
See hosts(5), resolv.conf(5), ``container/name_files.py``.
"""

from __future__ import annotations

from minirun.container import etc_files
from minirun.pod.manifest.types import HostAlias, PodDNSConfig, PodDNSConfigOption
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from minirun.container.state import Record


def names(records: Sequence[Record], notes: list[str]) -> dict[str, Any]:
    """hostAliases of all, dnsPolicy and dnsConfig of the first, as fields of a PodSpec.

    What the others have of their own, and has no place there, is added to ``notes``.
    """
    found: dict[str, list[str]] = {}
    for record in records:
        for address, name in _aliases(record):
            if name not in found.setdefault(address, []):
                found[address].append(name)
    said: dict[str, Any] = {}
    if found:
        said["hostAliases"] = tuple(HostAlias(ip=ip, hostnames=tuple(each)) for ip, each in found.items())
    first = _resolver(records[0])
    if first is not None and not first.nameservers:
        notes.append(f"{records[0].name}: a manifest has no word for a resolver without servers")
    elif first is not None:
        said |= {"dnsPolicy": "None", "dnsConfig": first}
    for record in records[1:]:
        if _resolver(record) != first:
            notes.append(f"{record.name} asks other name servers than {records[0].name}, whose count")
    return said


def _aliases(record: Record) -> list[tuple[str, str]]:
    """Address and name of each --add-host."""
    base = etc_files.host_hosts() if _is_on_host(record) else etc_files.LOCALHOST
    given = record.files.get("hosts", "")
    lines = given.removeprefix(base).splitlines() if given.startswith(base) else []
    return [(words[0], words[1]) for words in map(str.split, lines) if len(words) == 2]


def _resolver(record: Record) -> PodDNSConfig | None:
    """What its resolv.conf says; None where that is what every container gets."""
    loopback = _is_on_host(record)
    host = etc_files.host_resolv_conf(loopback=loopback)
    given = record.files.get("resolv.conf")
    if given is None or given == etc_files.resolv_conf(host, (), (), (), loopback):
        return None
    said: dict[str, list[str]] = {}
    for word, *words in (line.split() for line in given.splitlines() if line and line[0] != "#"):
        said.setdefault(word, []).extend(words)
    options = [
        PodDNSConfigOption(name=word.partition(":")[0], value=word.partition(":")[2] or None)
        for word in said.get("options", ())
    ]
    return PodDNSConfig(
        nameservers=tuple(said.get("nameserver", ())),
        searches=tuple(said.get("search", ())),
        options=tuple(options),
    )


def _is_on_host(record: Record) -> bool:
    return all(each.type != "network" for each in record.spec.linux.namespaces)
