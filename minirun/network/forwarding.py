"""Whether somebody else's rules let containers' packets pass: docker's policy, a firewall.

Layer ``network``. Pure, but for ``read``. A packet that is forwarded has to pass the
forward chains of all tables, and what one of them drops stays dropped: docker sets
the policy of ``ip filter FORWARD`` to drop, and lets its own bridges through. So
the first packet of a connection from a bridge, and what comes back to it, walk the
chains here as they would in the kernel. Not all that a rule may ask is known: what
goes out needs a rule that surely accepts it, and what comes back one that may.
See nft(8), libnftables-json(5), iptables-save(8); ``doctor`` has the words for it.
"""

from __future__ import annotations

import shlex
import subprocess
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from minirun.network import ruleset
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_OWN = "minirun"
_LEGACY = "/proc/net/ip{}_tables_names"  # which tables iptables-legacy has made
_DROPS = ("DROP", "REJECT")


class Chain(Value):
    """A chain of rules; each rule is a list of expressions, as nft has them in JSON."""

    family: str
    table: str
    name: str
    hook: str = ""
    policy: str = "accept"
    is_legacy: bool = False
    """It was made by iptables-legacy, and nft does not know of it."""
    rules: tuple[Any, ...] = ()

    @property
    def title(self) -> str:
        """``ip filter FORWARD``."""
        legacy = " (iptables-legacy)" if self.is_legacy else ""
        return f"{self.family} {self.table} {self.name}{legacy}"


class _Packet(Value):
    """A packet, as far as it is known."""

    bridge: str
    leaves: bool
    """It comes from the bridge, the first of its connection; else it goes there."""
    subnets: tuple[str, ...] = ()


def walls(chains: Sequence[Chain], bridge: str, subnets: Sequence[str] = ()) -> list[Chain]:
    """The chains of others that drop what a container behind ``bridge`` sends, or what comes to it."""
    by_name = {_key(chain, chain.name): chain for chain in chains}
    families = {"ip6" if ":" in subnet else "ip" for subnet in subnets} or {"ip", "ip6"}
    packets = [_Packet(bridge=bridge, leaves=leaves, subnets=tuple(subnets)) for leaves in (True, False)]
    return [
        chain
        for chain in chains
        if chain.hook == "forward" and chain.table != _OWN and chain.family in {*families, "inet"}
        if any((_walk(by_name, chain, packet) or chain.policy) == "drop" for packet in packets)
    ]


def _key(chain: Chain, name: str) -> tuple[bool, str, str, str]:
    """The chain ``name`` beside ``chain``, which it can jump to."""
    return chain.is_legacy, chain.family, chain.table, name


def _walk(chains: Mapping[tuple[bool, str, str, str], Chain], chain: Chain, packet: _Packet) -> str:
    """``accept`` or ``drop``; "" where no rule decides."""
    for rule in chain.rules:
        certain = True
        for expression in rule:
            ((kind, value),) = expression.items()
            met = _meets(kind, value, packet)
            if met is False:
                break
            certain = certain and met is True
            if kind == "return" and certain:
                return ""
            verdict = _verdict(kind, value)
            if kind in ("jump", "goto"):
                target = chains.get(_key(chain, value["target"]))
                verdict = _walk(chains, target, packet) if target else ""
                if kind == "goto" and certain and not verdict:
                    return ""
            if verdict and (certain or (verdict == "accept" and not packet.leaves)):
                return verdict
    return ""


def _verdict(kind: str, value: Any) -> str:
    if kind == "vmap":  # which of its verdicts, is not known
        return "accept" if "accept" in str(value.get("data")) else ""
    if kind in ("drop", "reject") or (kind == "xt" and value and value.get("name") in _DROPS):
        return "drop"
    return "accept" if kind == "accept" else ""


def _meets(kind: str, value: Any, packet: _Packet) -> bool | None:
    """Whether the packet is one that the expression is about; None where that is not known."""
    if kind == "xt":
        return True if value and value.get("type") == "target" else None
    if kind in ("limit", "vmap", "lookup"):
        return None
    if kind != "match":
        return True
    found = _compared(value["left"], value["right"], packet)
    return found if found is None or value["op"] != "!=" else not found


def _compared(left: Any, right: Any, packet: _Packet) -> bool | None:
    wanted = right.get("set", [right]) if isinstance(right, dict) else [right]
    words = [word for one in wanted for word in (one if isinstance(one, list) else [one])]
    if any(isinstance(word, str) and word.startswith("@") for word in words):
        return None
    kind, what = next(iter(left.items())) if isinstance(left, dict) else ("", {})
    key = what.get("key", what.get("field")) if isinstance(what, dict) else ""
    if kind == "meta" and key == ("iifname" if packet.leaves else "oifname"):
        return any(_is_name(packet.bridge, str(word)) for word in words)
    if kind == "meta" and key in ("iifname", "oifname") and words == [packet.bridge]:
        return False  # the other end of its way is somewhere else
    if kind == "ct" and key == "state" and packet.leaves:
        return "new" in words
    if kind == "payload" and key == "saddr" and packet.leaves and packet.subnets:
        return _inside(packet.subnets, words, str(what.get("protocol")))
    return None


def _is_name(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _inside(subnets: Sequence[str], words: Sequence[Any], protocol: str) -> bool | None:
    """Whether all of the subnets of that family are among those that a rule names."""
    prefixes = []
    for word in words:
        prefix = word.get("prefix") if isinstance(word, dict) else {"addr": word, "len": ""}
        if not isinstance(prefix, dict):
            return None
        prefixes.append(ip_network(f"{prefix['addr']}/{prefix['len']}".rstrip("/"), strict=False))
    own = [ip_network(subnet) for subnet in subnets if (":" in subnet) == (protocol == "ip6")]
    return bool(own) and all(
        any(one.version == net.version and one.subnet_of(net) for net in prefixes)  # type: ignore[arg-type]  # of one version
        for one in own
    )


def read() -> list[Chain]:
    """Every chain of the kernel's. Raises as ``ruleset.read`` where a program cannot tell."""
    chains = _chains(ruleset.read()[0])
    for version, family in (("", "ip"), ("6", "ip6")):
        try:
            with open(_LEGACY.format(version)) as file:
                has_filter = "filter" in file.read().split()
        except FileNotFoundError:
            continue  # the module is not loaded
        if has_filter:
            said = _said(f"ip{version}tables-legacy-save", "-t", "filter")
            chains += from_iptables(said, family)
    return chains


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def _chains(found: Mapping[str, Any]) -> list[Chain]:
    rules: dict[tuple[str, str, str], list[Any]] = {}
    for one in (entry["rule"] for entry in found["nftables"] if "rule" in entry):
        rules.setdefault((one["family"], one["table"], one["chain"]), []).append(one["expr"])
    return [
        Chain(
            family=one["family"],
            table=one["table"],
            name=one["name"],
            hook=one.get("hook", ""),
            policy=one.get("policy", "accept"),
            rules=tuple(rules.get((one["family"], one["table"], one["name"]), ())),
        )
        for one in (entry["chain"] for entry in found["nftables"] if "chain" in entry)
    ]


def from_iptables(text: str, family: str) -> list[Chain]:
    """What ``iptables-legacy-save -t filter`` says, in nft's words."""
    policies: dict[str, str] = {}
    rules: dict[str, list[Any]] = {}
    for line in text.splitlines():
        words = shlex.split(line)
        if line.startswith(":"):
            policies[words[0][1:]] = words[1].lower()
        elif line.startswith("-A "):
            rules.setdefault(words[1], []).append(list(_expressions(words[2:])))
    return [
        Chain(
            family=family,
            table="filter",
            name=name,
            hook="forward" if name == "FORWARD" else "",
            policy="drop" if policy == "drop" else "accept",
            is_legacy=True,
            rules=tuple(rules.get(name, ())),
        )
        for name, policy in policies.items()
    ]


def _expressions(words: Sequence[str]) -> Iterator[dict[str, Any]]:
    sign = "=="
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word in ("-i", "-o"):
            name = value[:-1] + "*" if value.endswith("+") else value
            yield {"match": {"op": sign, "left": {"meta": {"key": f"{word[1]}ifname"}}, "right": name}}
        elif word in ("-j", "-g"):
            yield _target(word, value)
            return  # what follows is the target's own
        elif word.startswith("-"):
            yield {"xt": {"type": "match"}}
        sign = "!=" if word == "!" else "=="


def _target(word: str, value: str) -> dict[str, Any]:
    if value in ("ACCEPT", "RETURN"):
        return {value.lower(): None}
    if value in _DROPS or (value.isupper() and value in ("LOG", "NFLOG", "MARK", "CT", "TCPMSS")):
        return {"xt": {"type": "target", "name": value}}
    return {"goto" if word == "-g" else "jump": {"target": value}}
