"""What iptables-save says of the table ``nat``, in the words of nft.

Layer ``network``. Pure. iptables writes its rules into nftables since 2018, yet
as sealed parcels: nft sees that there is a target DNAT and not where to. So its
rules are read from its own text and spelled as nft spells them in JSON, for
``firewall.py`` to walk. See iptables-save(8), iptables-extensions(8).
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Targets that are no chains, and change no address that a map would show.
_TARGETS = {"ACCEPT", "DROP", "RETURN", "REJECT", "REDIRECT", "LOG", "NFLOG", "MARK", "CONNMARK", "NETMAP"}


def rules_of(text: str, family: str) -> Iterator[dict[str, Any]]:
    """The rules in the output of ``iptables-save -t nat``; ``family`` is ip or ip6."""
    for line in text.splitlines():
        words = shlex.split(line) if line.startswith("-A ") else []
        if words:
            expressions = list(_expressions(words[2:]))
            yield {"family": family, "table": "nat", "chain": words[1], "expr": expressions}


def _expressions(words: list[str]) -> Iterator[dict[str, Any]]:
    options: dict[str, str] = {}
    protocol = ""
    sign = "=="
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word == "!":
            sign = "!="
            continue
        if word in ("-s", "-d"):
            field = "saddr" if word == "-s" else "daddr"
            yield _match(sign, {"payload": {"protocol": "ip", "field": field}}, _plain(value))
        elif word == "-o":
            yield _match(sign, {"meta": {"key": "oifname"}}, value)
        elif word == "-p":
            protocol = value
            yield _match(sign, {"meta": {"key": "l4proto"}}, value)
        elif word in ("--dport", "--dports"):
            ports = [part.replace(":", "-") for part in value.split(",")]
            yield _match(sign, {"payload": {"protocol": protocol or "th", "field": "dport"}}, {"set": ports})
        elif word == "--mark":
            yield _match(sign, {"meta": {"key": "mark"}}, value)
        elif word.startswith("-"):
            options[word] = value
        sign = "==" if word.startswith("-") else sign
    yield from _verdict(options)


def _match(sign: str, left: Any, right: Any) -> dict[str, Any]:
    return {"match": {"op": sign, "left": left, "right": right}}


def _verdict(options: dict[str, str]) -> Iterator[dict[str, Any]]:
    target = options.get("-j", options.get("-g", ""))
    if target in ("MASQUERADE", "SNAT"):
        yield {target.lower(): None}
    elif target == "DNAT":
        address, port = _destination(options.get("--to-destination", ""))
        yield {"dnat": {"addr": address, "port": port}}
    elif target and target not in _TARGETS:
        yield {"jump": {"target": target}}


def _destination(text: str) -> tuple[str, str]:
    """Address and port of ``10.88.0.4:80``, ``[fd00::4]:80``, or of one without a port."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, port.lstrip(":")
    if text.count(":") > 1:
        return text, ""
    address, _, port = text.partition(":")
    return address, port


def _plain(address: str) -> str:
    """Without the prefix length that says that it is one address: nft leaves it out too."""
    return address.removesuffix("/128" if ":" in address else "/32")
