"""The default network, where it can be: another store of the machine may have been faster.

Layer ``network``. The default network is chosen without anybody being asked, and its
bridge is made when it is first used. In between, or while the machine was down, another
store may have taken the same name or the same subnet. So before the first address is
taken, the bridge is made sure of; and where another one stands in its place, the
network moves. One that somebody has made by ``network create`` stays as it was asked for.
"""

from __future__ import annotations

from minirun.errors import Conflict, MinirunError
from minirun.network import bridge, networks
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.network.networks import Network

_TRIES = 8


def settled(root: str, state: str, network: Network) -> Network:
    """The default ``network``, with its bridge. Raises Conflict when it can be nowhere."""
    for left in reversed(range(_TRIES)):
        try:
            bridge.ensure(network, state)
            break
        except Conflict:
            if not left or not network.automatic or networks.used_by(state, network.name):
                raise
            network = _move(root, network)
        except (MinirunError, OSError):
            break  # it is told when the start comes to it
    return network


def _move(root: str, network: Network) -> Network:
    """Gives it another bridge and other subnets; what it has by now, if somebody else did meanwhile."""
    from minirun.network import host
    from minirun.network import subnets as choice

    with networks.Turn(root):
        found = networks.load(root, network.name)
        if found != network:
            return found
        others = [one for one in networks.networks(root) if one.name != network.name]
        moved = replace(
            network,
            bridge=host.bridge_name(True, {one.bridge for one in others}),
            subnets=choice.settle(
                (),
                [choice.version(subnet.cidr) for subnet in network.subnets],
                networks.taken_subnets(others),
                wide=True,
            ),
        )
        networks.write(root, moved)
    return moved
