"""/etc/hosts, /etc/resolv.conf and /etc/hostname of a container.

Layer ``container``. Three files in the container's directory on the host, each
bind-mounted into it: an image cannot know which address the container gets, or
which server the host asks for names. ``hosts`` and ``resolv_conf`` are pure;
``network/names.py`` adds to the hosts file who else is there. See hosts(5),
resolv.conf(5), hostname(5).
"""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6, inet_pton

from minirun.errors import UsageError
from minirun.spec import Mount
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

#: What is mounted, each at /etc.
NAMES = ("hosts", "resolv.conf", "hostname")

#: Of --add-host: the host, as the container's network has it.
HOST_GATEWAY = "host-gateway"

LOCALHOST = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""

#: Whom to ask where the host's own servers are out of a container's reach; docker asks the same.
PUBLIC = ("8.8.8.8", "8.8.4.4")

_RESOLV_CONF = "/etc/resolv.conf"
#: Where systemd-resolved writes the servers behind its own at 127.0.0.53 (systemd-resolved(8)).
_RESOLVED = "/run/systemd/resolve/resolv.conf"


def hosts(add_host: Sequence[str], host_gateway: str, base: str = LOCALHOST) -> str:
    """The hosts file, without the container's own lines: ``base``, and what --add-host says.

    ``base`` is the host's own file where the container shares the host's network.
    Raises UsageError.
    """
    lines = [base if base.endswith("\n") or not base else base + "\n"]
    for text in add_host:
        name, address = _host(text)
        if address == HOST_GATEWAY:
            address = host_gateway
        if not address:
            raise UsageError(
                f"--add-host {text!r} cannot be had",
                "the container is on no network on which the host has an address",
                "give an address, or a --network",
            )
        lines.append(f"{address}\t{name}\n")
    return "".join(lines)


def check_hostname(hostname: str, domainname: str) -> None:
    """Raises UsageError for what cannot stand in a hosts file, or would be more than a name there."""
    if hostname and not (_is_word(hostname) and _is_word(domainname or "-")):
        raise UsageError(
            f"the hostname {hostname!r} cannot be looked up",
            "a hosts file has names without spaces, '#' and what cannot be printed",
            "give another --hostname",
        )


def own_lines(hostname: str, domainname: str, own: Sequence[str]) -> str:
    """The ``own`` addresses (without prefix length) with the hostname, where it has a domain.

    The full name first: that is what ``hostname --fqdn`` answers.
    """
    if not (hostname and domainname):
        return ""  # names.py writes the name alone
    return "".join(f"{address}\t{hostname}.{domainname} {hostname}\n" for address in own)


def resolv_conf(
    host: str,
    dns: Sequence[str],
    search: Sequence[str],
    options: Sequence[str],
    loopback: bool = False,
) -> str:
    """The resolver's configuration: what was asked for, the rest from the ``host``'s.

    The host's servers on its loopback are left out, since a container's
    loopback is another; ``loopback`` keeps them, for a container on the host's
    own network. A ``search`` of "." alone clears the host's domains.
    """
    servers, domains, settings = _read(host)
    note = ""
    if dns:
        servers = list(dns)
    elif not loopback:
        servers = [server for server in servers if _is_reachable(server)]
        if not servers:
            servers = list(PUBLIC)
            note = "# The host's own servers are out of reach from here, so these are public ones.\n"
    if search:
        domains = [domain for domain in search if domain != "."]
    if options:
        settings = list(options)
    lines = [f"nameserver {server}\n" for server in servers]
    if domains:
        lines.append(f"search {' '.join(domains)}\n")
    if settings:
        lines.append(f"options {' '.join(settings)}\n")
    return note + "".join(lines)


def host_resolv_conf(loopback: bool = False) -> str:
    """The text of the host's /etc/resolv.conf, or of systemd-resolved's where that names only itself.

    With ``loopback`` itself will do: whoever asks is on the host's own network.
    """
    text = _text(_RESOLV_CONF)
    if loopback:
        return text
    servers, _, _ = _read(text)
    if any(map(_is_reachable, servers)):
        return text
    return _text(_RESOLVED) or text


def host_hosts() -> str:
    """The text of the host's /etc/hosts."""
    return _text("/etc/hosts")


def write(directory: str, contents: Mapping[str, str], owner: int = 0) -> None:
    """Writes ``contents`` into ``directory``, by the files' names, as the user ``owner``'s.

    A file that is there is written anew and stays the same file.
    """
    for name, text in contents.items():
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(f"{directory}/{name}", flags, 0o644)
        try:
            os.fchmod(fd, 0o644)  # whatever the caller's umask is: any user in there looks names up
            if owner:
                os.fchown(fd, owner, owner)
            os.write(fd, text.encode(errors="surrogateescape"))
        finally:
            os.close(fd)


def mounts(directory: str, taken: Collection[str], readonly: bool = False) -> tuple[Mount, ...]:
    """The bind mounts of the three files, but for destinations that are ``taken`` by the user's own."""
    others = {os.path.normpath(destination) for destination in taken}
    return tuple(
        Mount(
            destination=f"/etc/{name}",
            type="bind",
            source=f"{directory}/{name}",
            options=("bind", "rprivate", "ro" if readonly else "rw"),
        )
        for name in NAMES
        if f"/etc/{name}" not in others
    )


def check_dns(dns: Sequence[str], search: Sequence[str], options: Sequence[str]) -> None:
    """Raises UsageError for what --dns, --dns-search and --dns-option cannot mean."""
    for server in dns:
        if not _packed(server):
            raise UsageError(
                f"--dns {server!r} is not understood", "a server is an IP address", "for example 1.1.1.1"
            )
    for flag, words, example in (
        ("--dns-search", search, "example.org, or . for none"),
        ("--dns-option", options, "ndots:2"),
    ):
        for word in words:
            if not _is_word(word):
                raise UsageError(
                    f"{flag} {word!r} is not understood",
                    "it becomes a word of /etc/resolv.conf (resolv.conf(5))",
                    f"for example {example}",
                )
    if "." in search and len(search) > 1:
        raise UsageError(
            "--dns-search . and other domains contradict each other", "it stands for none", "choose"
        )


def check_add_host(add_host: Sequence[str]) -> None:
    """Raises UsageError for what --add-host cannot mean."""
    for text in add_host:
        _host(text)


def _host(text: str) -> tuple[str, str]:
    """``NAME:ADDRESS`` or ``NAME=ADDRESS``, an IPv6 address in brackets or not."""
    name, sign, address = text.partition("=")
    if not sign:
        name, _, address = text.partition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    example = "for example db:10.0.0.7, db:[fd00::7] or host:host-gateway"
    if not _is_word(name):
        raise UsageError(
            f"--add-host {text!r} is not understood", "it is NAME:ADDRESS, the name a word", example
        )
    if address != HOST_GATEWAY and not _packed(address):
        raise UsageError(
            f"--add-host {text!r} is not understood", f"{address!r} is not an IP address", example
        )
    return name, address


def _read(text: str) -> tuple[list[str], list[str], list[str]]:
    """Servers, domains and options of a resolv.conf; the last ``search`` or ``domain`` counts."""
    servers: list[str] = []
    domains: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver" and rest:
            servers.append(rest[0])
        elif word in ("search", "domain"):
            domains = rest
        elif word == "options":
            options += rest
    return servers, domains, options


def _is_reachable(server: str) -> bool:
    """Whether a container can ask it: not on the loopback, not on a link of the host's (fe80::1%eth0)."""
    packed = _packed(server)
    return bool(packed) and packed != bytes(15) + b"\x01" and not (len(packed) == 4 and packed[0] == 127)


def _packed(address: str) -> bytes:
    """The address as the kernel has it; nothing if it is none."""
    try:
        return inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    except (OSError, ValueError):
        return b""


def _is_word(text: str) -> bool:
    """Whether it stays one word, and no comment, in the files that are written here."""
    return bool(text) and text.isprintable() and not set(text) & set(" #;")


def _text(path: str) -> str:
    try:
        with open(path, errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
