"""What pods are told of the machine that they are on."""

from __future__ import annotations

from minirun.linux import link, namespace, netlink_route, trial
from minirun.linux.namespace import CloneFlag
from minirun.pod import node
from tests.needs import needs

pytestmark = needs("root")


def told(*addresses: str) -> tuple[str, ...]:
    """The addresses of a machine that has these, and no way out."""

    def alone() -> tuple[str, ...]:
        namespace.unshare(CloneFlag.NEWNET)
        link.up("lo")
        for address in addresses:
            netlink_route.add_address("lo", address)
        return node.addresses()

    return tuple(trial.in_child(alone))


def test_a_machine_without_a_default_route() -> None:
    """The loopback's address would lead a pod to itself: any other one is better."""
    assert told("2001:db8::7/128", "192.0.2.7/32") == ("192.0.2.7", "2001:db8::7")
    assert told() == ("127.0.0.1",)
