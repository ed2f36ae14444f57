"""``minirun network inspect``: a network as it was made, in the kernel, and who is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.cli.settings import Settings
    from minirun.linux.netlink_listing import Address, Link
    from minirun.network.networks import Network


@click.command()
@click.option(
    "-f", "--format", "form", default="json", help="json, or one field such as '{{.interface.mtu}}'."
)
@click.argument("networks", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, form: str, networks: tuple[str, ...]) -> int:
    """Show everything about networks.

    `interface` is what the kernel has: nothing, before the network is first used
    after a boot. Its `ports` are the host's ends of the containers' cables.
    """
    from minirun.cli import output
    from minirun.linux import netlink_listing as listing
    from minirun.network.networks import find

    found = [find(settings.root, name) for name in networks]
    links, addresses = listing.links(), listing.addresses()
    shown = [_shown(settings, network, links, addresses) for network in found]
    if form == "json":
        output.show_json(shown)
        return 0
    for thing in shown:
        print(output.field(form, thing))
    return 0


def _shown(
    settings: Settings, network: Network, links: Sequence[Link], addresses: Sequence[Address]
) -> dict[str, Any]:
    return {
        "name": network.name,
        "id": network.id,
        "created": network.created,
        "driver": network.driver,
        "internal": network.internal,
        "mtu": network.mtu,
        "labels": network.labels,
        "subnets": [
            {"subnet": subnet.cidr, "gateway": subnet.gateway, "ip_range": subnet.ip_range}
            for subnet in network.subnets
        ],
        "bridge": network.bridge,
        "interface": _interface(network.bridge, links, addresses),
        "containers": _containers(settings, network.name),
    }


def _interface(name: str, links: Sequence[Link], addresses: Sequence[Address]) -> dict[str, Any] | None:
    for link in links:
        if link.name == name:
            return {
                "index": link.index,
                "up": link.up,
                "mac": link.mac,
                "mtu": link.mtu,
                "addresses": [address.address for address in addresses if address.index == link.index],
                "ports": [port.name for port in links if port.master == link.index],
            }
    return None


def _containers(settings: Settings, network: str) -> list[dict[str, Any]]:
    from minirun.cli.network.containers import record_of
    from minirun.cli.several import store_of
    from minirun.network import addresses, names
    from minirun.network.port_words import shown

    store = store_of(settings)
    held: dict[str, list[str]] = {}
    for address, owner in addresses.owners(settings.state, network).items():
        held.setdefault(owner, []).append(address)
    called = {member.id: list(member.names) for member in names.members(settings.state, network)}
    rows = []
    for id in sorted(held.keys() | called.keys()):
        record = record_of(store, id)
        rows.append(
            {
                "id": id,
                "name": record.name if record else "",
                "addresses": sorted(held.get(id, ()), key=lambda address: ":" in address),
                "names": called.get(id, []),
                "ports": [shown(port) for port in record.spec.ports] if record else [],
            }
        )
    return rows
