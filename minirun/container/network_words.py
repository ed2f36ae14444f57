"""What --network says: one mode, or one network after another.

Layer ``container``, pure. none, host, container:NAME and ns:PATH are modes, and
stand alone. Everything else names a network to be plugged into, of minirun's
(``web``) or of CNI's (``cni:web``), and may be said several times; docker's long
form carries what belongs to that one network: ``name=web,ip=10.90.0.7,alias=db``.
Read ``wiring.py`` next.
"""

from __future__ import annotations

from minirun.errors import UsageError
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minirun.container.options import Options
    from minirun.spec import Endpoint

#: The network of a container that was not given one.
USUAL = "minirun"
#: docker's names for the network that is there without being made.
_USUAL = ("bridge", "default", USUAL)
CNI = "cni:"
_ONCE = {"name": "network", "ip": "ip", "ip6": "ip6", "mac-address": "mac"}


class Wish(Value):
    """One network, and what the container wants to have there."""

    network: str
    """Its name; ``cni:NAME`` for one of CNI's."""
    ip: str = ""
    ip6: str = ""
    mac: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def is_cni(self) -> bool:
        """Whether plugins make the network, and not minirun."""
        return self.network.startswith(CNI)


def word(endpoint: Endpoint) -> str:
    """What --network calls the network of an endpoint: no two networks have the same."""
    return f"{CNI}{endpoint.network}" if endpoint.driver == "cni" else endpoint.network


def is_mode(word: str) -> bool:
    """Whether a word of --network is not a network's name."""
    return word in ("none", "host") or word.startswith(("container:", "ns:"))


def wishes(options: Options) -> tuple[Wish, ...]:
    """The networks that ``options`` ask for, in order; of eth0, eth1 ... the first is first.

    --ip, --ip6 and --mac-address are of the first network, --network-alias is of
    all. Raises UsageError.
    """
    found = [_wish(word) for word in options.network or (USUAL,)]
    names = [wish.network for wish in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"--network {name} is said twice", "once is enough: it is one cable", "leave one out"
            )
    first = {"ip": options.ip, "ip6": options.ip6, "mac": options.mac_address}
    for field, value in first.items():
        if value and getattr(found[0], field):
            raise UsageError(
                f"the address {value} contradicts --network {options.network[0]}",
                "both name one for the same network",
                "leave one out",
            )
    found[0] = replace(found[0], **{field: value for field, value in first.items() if value})
    return tuple(
        replace(wish, aliases=tuple(dict.fromkeys((*wish.aliases, *options.network_alias)))) for wish in found
    )


def _wish(word: str) -> Wish:
    if "=" not in word:
        return Wish(network=USUAL if word in _USUAL else word)
    fields: dict[str, str] = {}
    aliases: list[str] = []
    for key, value in _pairs(word):
        if key == "alias":
            aliases.append(value)
        elif key in _ONCE and _ONCE[key] not in fields:
            fields[_ONCE[key]] = _mac_of(word, value) if key == "mac-address" else value
        else:
            raise _not_understood(word, f"{key!r} is said twice" if key in _ONCE else f"{key!r} is no key")
    name = fields.get("network", "")
    if not name or is_mode(name):
        raise _not_understood(word, f"name={name} is no network" if name else "there is no name=")
    return Wish(**{**fields, "network": USUAL if name in _USUAL else name}, aliases=tuple(aliases))


def _pairs(word: str) -> Iterator[tuple[str, str]]:
    for part in word.split(","):
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise _not_understood(word, f"{part!r} is not of the form key=value")
        yield key.lower(), value


def _mac_of(word: str, value: str) -> str:
    try:
        return mac(value)
    except ValueError as error:
        raise _not_understood(word, f"mac-address {value!r}: {error}") from error


def _not_understood(word: str, why: str) -> UsageError:
    return UsageError(
        f"--network {word!r} is not understood",
        why,
        "its keys are name, ip, ip6, mac-address and alias: --network name=web,ip=10.90.0.7,alias=db",
    )


def contradicting_modes(words: Sequence[str]) -> str:
    """The mode that does not stand alone; empty if all is well."""
    return next((word for word in words if is_mode(word)), "") if len(words) > 1 else ""


def mac(text: str) -> str:
    """A hardware address of one interface, in lower case."""
    parts = text.lower().replace("-", ":").split(":")
    if len(parts) != 6 or not all(len(part) == 2 and set(part) <= set("0123456789abcdef") for part in parts):
        raise ValueError("it is not six bytes in hexadecimal")
    if int(parts[0], 16) & 1:
        raise ValueError("it is a group's: the lowest bit of the first byte is set")
    return ":".join(parts)
