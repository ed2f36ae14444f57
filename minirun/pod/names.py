"""What a pod is called, and the files by which its containers know names.

Layer ``pod``, pure: texts and numbers in, texts out. /etc/hosts, /etc/resolv.conf
and /etc/hostname are the pod's: all its containers mount the same ones. What a
plain container gets is in ``container/etc_files.py``, which is used here; hosts
of a network are added by ``network/names.py``. See hosts(5), resolv.conf(5).
"""

from __future__ import annotations

from minirun.container import etc_files
from minirun.errors import InvalidInput
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.pod.manifest.types import Pod, PodDNSConfig

#: Of a cluster that there is not; its pods would be called the same.
CLUSTER_DOMAIN = "cluster.local"

#: HOST_NAME_MAX, and the longest name that one label of a domain can have.
_LONGEST, _LONGEST_LABEL = 64, 63

#: resolv.conf(5): MAXNS of the C library, and what Kubernetes validates.
_NAMESERVERS, _SEARCHES, _SEARCH_LETTERS = 3, 32, 2048

_MANAGED = "# Kubernetes-managed hosts file{}. minirun writes it anew when the pod starts.\n"


class Name(Value):
    """A pod's name: ``hostname`` as uname(2) has it, ``domain`` behind it in /etc/hosts."""

    hostname: str
    short: str
    """The hostname without a domain."""
    domain: str = ""


def name_of(pod: Pod) -> Name:
    """What the pod's UTS namespace is told. Raises InvalidInput for a name that is too long.

    ``hostname``, or the pod's own name, cut off at 63 letters; with ``subdomain``
    it has a domain, and ``setHostnameAsFQDN`` makes both together the hostname.
    """
    spec = pod.spec
    if spec.hostnameOverride:
        short = _cut(spec.hostnameOverride)
        return Name(hostname=short, short=short)
    short = _cut(spec.hostname or pod.metadata.name)
    if not spec.subdomain:
        return Name(hostname=short, short=short)
    domain = f"{spec.subdomain}.{pod.metadata.namespace or 'default'}.svc.{CLUSTER_DOMAIN}"
    if not spec.setHostnameAsFQDN:
        return Name(hostname=short, short=short, domain=domain)
    whole = f"{short}.{domain}"
    if len(whole) > _LONGEST:
        raise InvalidInput(
            f"setHostnameAsFQDN: the hostname {whole} is too long",
            f"it has {len(whole)} letters, and the kernel keeps {_LONGEST} (sethostname(2))",
            "give a shorter hostname or subdomain, or leave setHostnameAsFQDN out",
        )
    return Name(hostname=whole, short=short, domain=domain)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[:_LONGEST_LABEL].rstrip("-.")


def hosts(pod: Pod, addresses: Sequence[str], host: str = "") -> str:
    """The hosts file: a line that says whose it is, the usual ones, the pod's own, hostAliases.

    ``addresses`` are the pod's, without prefix length; ``host`` is the text of
    the host's own file, which a pod on the host's network gets instead.
    """
    if pod.spec.hostNetwork:
        text = _MANAGED.format(" (host network)") + host
        if not text.endswith("\n"):
            text += "\n"
    else:
        name = name_of(pod)
        whole = f"{name.short}.{name.domain}\t{name.short}" if name.domain else name.short
        text = _MANAGED.format("") + etc_files.LOCALHOST
        text += "".join([f"{address}\t{whole}\n" for address in addresses])
    aliases = [alias for alias in pod.spec.hostAliases if alias.hostnames]
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join([alias.ip + "\t" + "\t".join(alias.hostnames) + "\n" for alias in aliases])
    return text


class Resolver(Value):
    """The text of resolv.conf, and what had to be left out of it, in words."""

    text: str
    notes: tuple[str, ...] = ()


def resolv_conf(pod: Pod, host: str) -> Resolver:
    """The resolver's configuration by ``dnsPolicy`` and ``dnsConfig``.

    ``host`` is the text of the host's (etc_files.host_resolv_conf). There is no
    cluster with a name server of its own, so ClusterFirst is Default, as
    kubelet has it then; None is ``dnsConfig`` alone.
    """
    policy, config = pod.spec.dnsPolicy or "ClusterFirst", pod.spec.dnsConfig
    if policy not in ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"):
        raise InvalidInput(
            f"spec.dnsPolicy cannot be {policy!r}",
            "there are ClusterFirst, ClusterFirstWithHostNet, Default and None",
            "correct it, or leave it out",
        )
    if policy == "None":
        if config is None or not config.nameservers:
            raise InvalidInput(
                "spec.dnsPolicy None needs a name server",
                "it takes nothing from the host, so all is up to dnsConfig",
                "add spec.dnsConfig.nameservers",
            )
        servers, searches, options, note = [], [], [], ""  # type: tuple[list[str], list[str], list[str], str]
    else:
        servers, searches, options, note = _hosts_own(host, pod.spec.hostNetwork)
    if config is not None:
        servers, searches = [*servers, *config.nameservers], [*searches, *config.searches]
        options = _merged(options, config)
    return _text(list(dict.fromkeys(servers)), list(dict.fromkeys(searches)), options, note)


def _hosts_own(host: str, loopback: bool) -> tuple[list[str], list[str], list[str], str]:
    """Servers, search domains, options and a comment, as a plain container would get them."""
    servers: list[str] = []
    rest: dict[str, list[str]] = {}
    note = ""
    for line in etc_files.resolv_conf(host, (), (), (), loopback).splitlines(keepends=True):
        word, *words = line.split()
        if word == "#":
            note += line
        elif word == "nameserver":
            servers += words
        else:
            rest[word] = words
    return servers, rest.get("search", []), rest.get("options", []), note


def _merged(options: Sequence[str], config: PodDNSConfig) -> list[str]:
    """The ``options``, each replaced by the one of the same name in ``config``."""
    found = {option.partition(":")[0]: option for option in options}
    for option in config.options:
        found[option.name] = f"{option.name}:{option.value}" if option.value else option.name
    return list(found.values())


def _text(servers: list[str], searches: list[str], options: list[str], note: str) -> Resolver:
    notes = []
    if len(servers) > _NAMESERVERS:
        notes.append(
            f"of {len(servers)} name servers the first {_NAMESERVERS} are used: no resolver asks more"
        )
    kept = [domain for domain in searches if len(domain) < 256][:_SEARCHES]
    while len(" ".join(kept)) > _SEARCH_LETTERS:
        kept.pop()
    if len(kept) < len(searches):
        notes.append(f"of {len(searches)} search domains {len(kept)} are used: {_SEARCHES} are the most")
    lines = [f"nameserver {server}\n" for server in servers[:_NAMESERVERS]]
    lines += [
        f"{word} {' '.join(words)}\n" for word, words in (("search", kept), ("options", options)) if words
    ]
    return Resolver(text=note + "".join(lines), notes=tuple(notes))
