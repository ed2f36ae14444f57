"""``minirun network ls``: the networks there are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minirun.cli.settings import Settings
    from minirun.network.networks import Network

_COLUMNS = [
    ("NAME", "name"),
    ("DRIVER", "driver"),
    ("SUBNET", "subnets"),
    ("BRIDGE", "bridge"),
    ("INTERNAL", "internal"),
]
_FILTERS = ("name", "id", "driver", "label")


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
@click.option("--no-trunc", is_flag=True, help="Whole ids.")
@click.option(
    "-f", "--filter", "filters", multiple=True, help="name=, id=, driver= or label=; all must hold."
)
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.Name}}'.")
@click.pass_obj
def command(
    settings: Settings, quiet: bool, no_trunc: bool, filters: tuple[str, ...], form: str | None
) -> int:
    """List networks.

    Those of CNI's, which are files in /etc/cni/net.d or NETCONFPATH and belong to
    whoever has put them there, are listed by --filter driver=cni, by the names that
    --network takes.
    """
    from minirun.cli import output
    from minirun.network.networks import networks

    known = [*networks(settings.root), *(_of_cni() if "driver=cni" in filters else ())]
    found = [network for network in known if _holds(network, filters)]
    if quiet:
        for network in found:
            print((network.id if no_trunc else network.id[:12]) or network.name)
        return 0
    rows: list[dict[str, object]] = [
        {
            "id": network.id,
            "name": network.name,
            "driver": network.driver,
            "subnets": [subnet.cidr for subnet in network.subnets],
            "bridge": network.bridge,
            "internal": network.internal,
            "created": network.created,
            "labels": network.labels,
        }
        for network in found
    ]
    output.show(rows, _COLUMNS, form)
    return 0


def _of_cni() -> Iterator[Network]:
    """Those of CNI's, as far as their files tell; what is wrong with the others goes to stderr."""
    from minirun.network.cni import config
    from minirun.network.networks import Network

    found, broken = config.configs()
    for error in broken:
        print(f"warning: {error.what}: {error.why}", file=sys.stderr)
    for one in found:
        bridge = next((each.object.get("bridge", "") for each in one.plugins if each.type == "bridge"), "")
        yield Network(name=f"cni:{one.name}", id="", driver="cni", bridge=str(bridge))


def _holds(network: Network, filters: Sequence[str]) -> bool:
    return all(_one_holds(network, text) for text in filters)


def _one_holds(network: Network, text: str) -> bool:
    from minirun.errors import UsageError

    key, _, value = text.partition("=")
    if key == "name":
        return value in network.name
    if key == "id":
        return network.id.startswith(value)
    if key == "driver":
        return network.driver == value
    if key == "label":
        name, equals, wanted = value.partition("=")
        return name in network.labels and (not equals or network.labels[name] == wanted)
    raise UsageError(
        f"--filter {text!r} is not understood",
        f"there is no filter {key!r}",
        f"use {', '.join(f'{known}=' for known in _FILTERS)}",
    )
