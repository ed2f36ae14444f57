"""What a container asks of a network at run time, and which plugin is told.

Layer ``network``, part of ``cni``. A plugin that can publish ports says so with
``"capabilities": {"portMappings": true}`` in its configuration, and only then
gets them, as its ``runtimeConfig``. What no plugin of the list can do is refused
here: a port that nobody publishes would be a promise that nobody keeps.
CONVENTIONS.md, "Dynamic plugin specific fields". Part of ``chain.py``.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported
from minirun.network.cni.config import NetworkConfig
from minirun.spec import Resolver
from minirun.values import TYPE_CHECKING, Value, plain, replace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from minirun.spec import Port


class PortMapping(Value):
    """A port of the host's that leads to the container's."""

    hostPort: int
    containerPort: int
    protocol: str
    hostIP: str = ""


class Bandwidth(Value):
    """Rates in bits per second, bursts in bits; 0 is no limit. Ingress is into the container."""

    ingressRate: int = 0
    ingressBurst: int = 0
    egressRate: int = 0
    egressBurst: int = 0


class RuntimeConfig(Value):
    """The capabilities of CONVENTIONS.md, by their own names; what is empty was not asked for."""

    portMappings: tuple[PortMapping, ...] = ()
    bandwidth: Bandwidth | None = None
    mac: str = ""
    ips: tuple[str, ...] = ()
    """Addresses that the container wants, with or without prefix length."""
    dns: Resolver | None = None
    """What the container's /etc/resolv.conf will say, for plugins that answer names."""
    aliases: tuple[str, ...] = ()


#: A plugin that has the capability, for those who wonder where to get it.
_WHO = {
    "portMappings": "portmap",
    "bandwidth": "bandwidth",
    "mac": "bridge, macvlan or tuning",
    "ips": "bridge, ptp or macvlan with host-local or static",
}


def asked(config: NetworkConfig, runtime: RuntimeConfig, ports: Sequence[Port]) -> dict[str, Any]:
    """Capability -> its value, all that was asked for. Raises Unsupported if no plugin has it."""
    mappings = tuple(_mapping(port) for port in ports)
    wanted: dict[str, Any] = plain(replace(runtime, portMappings=runtime.portMappings + mappings))
    for capability in wanted:
        if not any(plugin.capabilities.get(capability) for plugin in config.plugins):
            who = f" (such as {_WHO[capability]})" if capability in _WHO else ""
            raise Unsupported(
                f"CNI network {config.name} cannot do {capability}",
                f"no plugin of its list has that capability: {', '.join(p.type for p in config.plugins)}",
                f'in {config.path}, give a plugin{who} "capabilities": {{"{capability}": true}}',
            )
    return wanted


def told(capabilities: dict[str, bool], wanted: dict[str, Any]) -> dict[str, Any]:
    """What of ``wanted`` a plugin with these capabilities gets."""
    return {name: value for name, value in wanted.items() if capabilities.get(name)}


def _mapping(port: Port) -> PortMapping:
    if not port.host_port or not port.port:
        raise InvalidInput(
            f"cannot publish port {port.host_port}:{port.port}/{port.protocol} by CNI",
            "port 0 stands for one that was not chosen yet",
            "name a port from 1 to 65535",
        )
    return PortMapping(
        hostPort=port.host_port, containerPort=port.port, protocol=port.protocol, hostIP=port.host_address
    )
