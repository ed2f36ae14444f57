"""What ADD answered: interfaces, addresses, routes, DNS.

Layer ``network``, part of ``cni``. A plugin may be anybody's program, so its
answer is checked before it is believed. The form changed with the versions: up
to 0.2.0 one address of a family (``ip4``, ``ip6``), since 0.3.0 lists. The next
plugin, CHECK and DEL get the answer as it was; this is how minirun reads it.
SPEC.md, section 5. Part of ``chain.py``.
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.values import TYPE_CHECKING, Value, convert

if TYPE_CHECKING:
    from typing import Any


class Interface(Value):
    """A link that was made; ``sandbox`` is the network namespace, "" on the host."""

    name: str
    mac: str = ""
    mtu: int = 0
    sandbox: str = ""


class Address(Value):
    """``address`` has its prefix length; ``interface`` is an index into the result's interfaces."""

    address: str
    gateway: str = ""
    interface: int | None = None


class Route(Value):
    """``gw`` is empty where the gateway of the address is meant."""

    dst: str
    gw: str = ""


class DNS(Value):
    """The resolver of the network, as resolv.conf(5) has it."""

    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Result(Value):
    """The answer of the last plugin, which speaks for the whole list."""

    interfaces: tuple[Interface, ...] = ()
    ips: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: DNS = DNS()

    def addresses(self, interface: str) -> tuple[Address, ...]:
        """Those that the container has on ``interface``; one that names no interface counts."""
        return tuple(ip for ip in self.ips if ip.interface is None or self._is(ip.interface, interface))

    def _is(self, index: int, name: str) -> bool:
        return bool(self.interfaces[index].sandbox) and self.interfaces[index].name == name


def read(raw: dict[str, Any], version: str, what: str) -> Result:
    """The answer ``raw`` of a plugin that was spoken to in ``version``; ``what`` names it in errors.

    Raises InvalidInput with the path of the wrong field.
    """
    said = raw.get("cniVersion", "0.1.0")
    if said != version:
        raise InvalidInput(
            f"{what} is not valid",
            f"its cniVersion is {said!r}, and it was asked in {version!r}",
            "set the cniVersion of the configuration to one that the plugin speaks",
        )
    given = _without_nulls(raw)
    if version in ("0.1.0", "0.2.0"):
        result = _from_old(convert(given, _Old, what))
    else:
        result = convert(given, Result, what)
    _check(result, what)
    return result


class _OldAddress(Value):
    ip: str
    gateway: str = ""
    routes: tuple[Route, ...] = ()


class _Old(Value):
    """The answer up to 0.2.0."""

    ip4: _OldAddress | None = None
    ip6: _OldAddress | None = None
    dns: DNS = DNS()


def _from_old(old: _Old) -> Result:
    given = [address for address in (old.ip4, old.ip6) if address]
    return Result(
        ips=tuple(Address(address=one.ip, gateway=one.gateway) for one in given),
        routes=tuple(route for one in given for route in one.routes),
        dns=old.dns,
    )


def _check(result: Result, what: str) -> None:
    import ipaddress

    for number, ip in enumerate(result.ips):
        place = f"$.ips[{number}]"
        _parsed(ipaddress.ip_interface, ip.address, f"{place}.address", what)
        if "/" not in ip.address:
            raise _wrong(what, f"{ip.address!r} lacks its prefix length", f"{place}.address")
        if ip.gateway:
            _parsed(ipaddress.ip_address, ip.gateway, f"{place}.gateway", what)
        if ip.interface is not None and not 0 <= ip.interface < len(result.interfaces):
            raise _wrong(what, f"there is no interface {ip.interface}", f"{place}.interface")
    for number, route in enumerate(result.routes):
        _parsed(ipaddress.ip_interface, route.dst, f"$.routes[{number}].dst", what)
        if route.gw:
            _parsed(ipaddress.ip_address, route.gw, f"$.routes[{number}].gw", what)
    for number, server in enumerate(result.dns.nameservers):
        _parsed(ipaddress.ip_address, server, f"$.dns.nameservers[{number}]", what)
    for word in (*result.dns.search, *result.dns.options, *filter(None, (result.dns.domain,))):
        if not word.isprintable() or set(word) & set(" #;") or not word:
            raise _wrong(what, f"{word!r} is no word for resolv.conf(5)", "$.dns")


def _parsed(parse: Any, text: str, place: str, what: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise _wrong(what, str(error), place) from error


def _wrong(what: str, why: str, place: str) -> InvalidInput:
    return InvalidInput(f"{what} is not valid", f"{why} - at `{place}`", "the plugin is broken: replace it")


def _without_nulls(raw: Any) -> Any:
    """Go writes null for a list that was never made."""
    if isinstance(raw, dict):
        return {key: _without_nulls(value) for key, value in raw.items() if value is not None}
    if isinstance(raw, list):
        return [_without_nulls(item) for item in raw]
    return raw
