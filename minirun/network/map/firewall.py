"""From a ruleset of nftables to what it does to addresses: NAT, and published ports.

Layer ``network``. Pure. A ruleset is a program: a packet enters at the base
chains of type ``nat`` and falls from rule to rule, each of which narrows down
whom the next words are for, and may jump into another chain. So the chains are
walked as a packet would, and what was narrowed down on the way is remembered.
minirun's own table has maps instead of a rule for each port; others' have
rules. See nft(8), libnftables-json(5); ``iptables.py`` next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minirun.network.map.iptables import rules_of
from minirun.network.map.model import Nat, Published
from minirun.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Key = tuple[str, str, str]

#: How a table's or a chain's name begins -> who writes such names.
OWNERS = {
    "minirun": "minirun",
    "DOCKER": "docker",
    "docker": "docker",
    "NETAVARK": "netavark",
    "netavark": "netavark",
    "CNI-": "CNI",
    "KUBE-": "kube-proxy",
    "LIBVIRT": "libvirt",
}
_LOOPBACKS = ("127.0.0.0/8", "127.0.0.1", "::1")


class _Met(Value):
    """What the rules on the way here have narrowed a packet down to."""

    owner: str = ""
    sources: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    protocol: str = ""
    host_address: str = ""
    ports: tuple[str, ...] = ()
    hairpin: bool = False


def read(ruleset: Mapping[str, Any]) -> tuple[tuple[Nat, ...], tuple[Published, ...]]:
    """The address translation in the output of ``nft -j list ruleset``."""
    rules = _Ruleset(ruleset)
    for key in rules.bases:
        rules.walk(key, _Met(owner=_owner(key[1])), ())
    return tuple(_merged(rules.nat)), tuple(dict.fromkeys(rules.published))


def internal(ruleset: Mapping[str, Any]) -> tuple[str, ...]:
    """The bridges in the set ``internal`` of minirun's table: nothing leaves them."""
    for entry in ruleset.get("nftables", ()):
        found = entry.get("set", {})
        if (found.get("table"), found.get("name")) == ("minirun", "internal"):
            return tuple(_text(element) for element in found.get("elem", ()))
    return ()


class _Ruleset:
    """The chains, sets and maps by (family, table, name), and what was found in them."""

    def __init__(self, ruleset: Mapping[str, Any]) -> None:
        self.bases: list[Key] = []
        self.rules: dict[Key, list[Any]] = {}
        self.elements: dict[Key, list[Any]] = {}
        self.nat: list[Nat] = []
        self.published: list[Published] = []
        told_by_iptables = {(family, "nat") for family, text in ruleset.get("iptables", {}).items() if text}
        for entry in [*ruleset.get("nftables", ()), *_told(ruleset)]:
            kind, thing = next(iter(entry.items()))
            if kind == "chain" and thing.get("type") == "nat":
                self.bases.append(_key(thing, thing["name"]))
            elif kind in ("set", "map"):
                self.elements[_key(thing, thing["name"])] = thing.get("elem", [])
            elif kind == "rule" and ("iptables" in entry or _table(thing) not in told_by_iptables):
                self.rules.setdefault(_key(thing, thing["chain"]), []).append(thing["expr"])

    def walk(self, key: Key, met: _Met, way: tuple[Key, ...]) -> None:
        """Follows the rules of a chain; ``way`` are the chains above, for a loop would not end."""
        met = replace(met, owner=met.owner or _owner(key[2]))
        for expressions in self.rules.get(key, ()) if key not in way else ():
            narrowed = met
            for expression in expressions:
                (word, value), *_ = expression.items()
                if word == "match":
                    narrowed = self._narrowed(narrowed, value, key)
                elif word in ("jump", "goto"):
                    self.walk((*key[:2], value["target"]), narrowed, (*way, key))
                elif word == "vmap":
                    for _, verdict in self._elements(value["data"], key):
                        for jump in (verdict.get("jump"), verdict.get("goto")):
                            if jump:
                                self.walk((*key[:2], jump["target"]), narrowed, (*way, key))
                elif word in ("masquerade", "snat"):
                    self.nat.append(_nat(word, narrowed, key))
                elif word == "dnat":
                    self.published += self._published(narrowed, value, key)
                elif word == "xt" and value and value.get("type") == "target":
                    self._opaque(narrowed, value["name"], key)

    def _opaque(self, met: _Met, target: str, key: Key) -> None:
        """A rule of iptables of which nft knows no more than the name of its target."""
        if target in ("MASQUERADE", "SNAT"):
            self.nat.append(_nat(target.lower(), met, key))
        elif target == "DNAT":
            self.published += self._published(met, {}, key)

    def _narrowed(self, met: _Met, match: Mapping[str, Any], key: Key) -> _Met:
        left, right = match["left"], match["right"]
        role = _role(left)
        if "concat" in left or role in ("mark", "status"):
            return replace(met, hairpin=True)  # pairs on one network, or what another chain has dealt with
        if match["op"] not in ("==", "in"):
            return met
        values = tuple(self._texts(right, key))
        if role == "saddr":
            return replace(met, sources=values, hairpin=all(value in _LOOPBACKS for value in values))
        if role == "daddr":
            return replace(met, host_address=", ".join(values))
        if role == "dport":
            protocol = left["payload"]["protocol"]
            return replace(met, ports=values, protocol=met.protocol if protocol == "th" else protocol)
        if role == "l4proto":
            return replace(met, protocol="/".join(values))
        if role == "iifname":
            return replace(met, inside=values)
        return replace(met, out=values) if role == "oifname" else met

    def _published(self, met: _Met, dnat: Mapping[str, Any], key: Key) -> Iterator[Published]:
        address, port = dnat.get("addr", ""), str(dnat.get("port", ""))
        table = " ".join(key[:2])
        if isinstance(address, dict) and "map" in address:
            roles = [_role(part) for part in _parts(address["map"]["key"])]
            for element, value in self._elements(address["map"]["data"], key):
                given = dict(zip(roles, _texts_of(element), strict=False))
                to, *to_port = _texts_of(value)
                yield Published(
                    table=table,
                    owner=met.owner,
                    protocol=given.get("l4proto", met.protocol),
                    host_address=given.get("daddr", met.host_address),
                    host_port=given.get("dport", ", ".join(met.ports)),
                    address=to,
                    port=to_port[0] if to_port else port,
                )
            return
        for host_port in met.ports or ("",):
            yield Published(
                table=table,
                owner=met.owner,
                protocol=met.protocol,
                host_address=met.host_address,
                host_port=host_port,
                address=_text(address) if address else "",
                port=port or (host_port if address else ""),
            )

    def _texts(self, right: Any, key: Key) -> Iterator[str]:
        """The values that the right side of a comparison stands for."""
        if isinstance(right, str) and right.startswith("@"):
            right = {"set": self.elements.get((*key[:2], right[1:]), [])}
        for value in _members(right):
            yield _text(value)

    def _elements(self, data: Any, key: Key) -> Iterator[tuple[Any, Any]]:
        """Key and value of each element of a map, named or written out."""
        elements = self.elements.get((*key[:2], data[1:]), []) if isinstance(data, str) else _members(data)
        for element, value in elements:
            yield _bare(element), value


def _nat(kind: str, met: _Met, key: Key) -> Nat:
    return Nat(
        table=" ".join(key[:2]),
        owner=met.owner,
        kind=kind,
        sources=met.sources,
        inside=met.inside,
        out=met.out,
        hairpin=met.hairpin,
    )


def _merged(rules: list[Nat]) -> Iterator[Nat]:
    """Rules that do the same for different sources as one."""
    groups: dict[tuple[Nat, bool], list[Nat]] = {}
    for rule in rules:
        # No source is every source: that is not one more of them.
        groups.setdefault((replace(rule, sources=()), bool(rule.sources)), []).append(rule)
    for (common, _), group in groups.items():
        sources = dict.fromkeys(source for rule in group for source in rule.sources)
        yield replace(common, sources=tuple(sources), rules=len(group))


def _told(ruleset: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rules that iptables-save tells in full, marked as such."""
    for family, text in ruleset.get("iptables", {}).items():
        for rule in rules_of(text, family):
            yield {"rule": rule, "iptables": True}


def _key(thing: Mapping[str, Any], name: str) -> Key:
    return (*_table(thing), name)


def _table(thing: Mapping[str, Any]) -> tuple[str, str]:
    return thing["family"], thing["table"]


def _owner(name: str) -> str:
    return next((owner for beginning, owner in OWNERS.items() if name.startswith(beginning)), "")


def _role(left: Any) -> str:
    """What of a packet an expression looks at: saddr, daddr, dport, l4proto, oifname, mark ..."""
    if "payload" in left:
        return str(left["payload"].get("field", ""))
    if "meta" in left:
        key = str(left["meta"]["key"])
        return {"oif": "oifname", "iif": "iifname"}.get(key, key)
    if "ct" in left:
        return str(left["ct"]["key"])
    masked = left.get("&", [""])[0]
    return _role(masked) if isinstance(masked, dict) else ""


def _parts(key: Any) -> list[Any]:
    return list(key["concat"]) if "concat" in key else [key]


def _members(value: Any) -> list[Any]:
    """The members of a set that is written out; anything else is one of its own."""
    if isinstance(value, dict) and "set" in value:
        inner = value["set"]
        return inner if isinstance(inner, list) else [inner]
    return value if isinstance(value, list) else [value]


def _bare(element: Any) -> Any:
    """An element without its timeout, counter and comment."""
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


def _texts_of(value: Any) -> list[str]:
    return [_text(part) for part in (_parts(value) if isinstance(value, dict) else [value])]


def _text(value: Any) -> str:
    value = _bare(value)
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    if isinstance(value, dict) and "range" in value:
        return "-".join(map(str, value["range"]))
    return str(value)
