"""Words of --network: modes, names, and docker's long form."""

import pytest

from minirun.container.network_words import Wish, wishes
from minirun.container.options import Options
from minirun.errors import UsageError


def asked(*network: str, **fields: object) -> tuple[Wish, ...]:
    return wishes(Options(network=network, **fields))


def test_without_a_word_it_is_the_usual_network() -> None:
    assert asked() == asked("bridge") == asked("default") == asked("minirun") == (Wish(network="minirun"),)


def test_the_order_is_that_of_the_interfaces() -> None:
    assert [wish.network for wish in asked("web", "cni:db", "bridge")] == ["web", "cni:db", "minirun"]


def test_addresses_are_of_the_first_and_aliases_of_all() -> None:
    mac = "02:00:00:00:00:01"
    first, second = asked("web", "db", ip="10.0.0.7", mac_address=mac, network_alias=("a", "b"))
    assert first == Wish(network="web", ip="10.0.0.7", mac=mac, aliases=("a", "b"))
    assert second == Wish(network="db", aliases=("a", "b"))


def test_the_long_form_says_what_belongs_to_one_network() -> None:
    word = "name=db,ip=10.0.0.7,ip6=fd00::7,mac-address=02:00:00:00:00:02,alias=sql,alias=store"
    assert asked("web", word, network_alias=("sql", "x"))[1] == Wish(
        network="db",
        ip="10.0.0.7",
        ip6="fd00::7",
        mac="02:00:00:00:00:02",
        aliases=("sql", "store", "x"),
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["ip=10.0.0.7"], "no name="),
        (["name=web,ip"], "key=value"),
        (["name=web,color=red"], "'color' is no key"),
        (["name=web,mac-address=01:02:03:04:05:06"], "a group's"),
        (["name=web,name=db"], "said twice"),
        (["name=host"], "no network"),
        (["web", "name=web,ip=10.0.0.7"], "twice"),
        (["bridge", "minirun"], "twice"),
    ],
)
def test_what_is_not_understood(words: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        asked(*words)


def test_one_network_has_one_address_of_a_kind() -> None:
    with pytest.raises(UsageError, match="contradicts"):
        asked("name=web,ip=10.0.0.7", ip="10.0.0.8")
