"""From what a manifest says of a probe to the conversation that asks.

Layer: pod. Read next: counting.py. Kubernetes API, "Probe v1 core".
"""

from __future__ import annotations

from minirun.pod.probes import command, grpc, http, tcp
from minirun.pod.probes.conversation import Failed
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, HTTPGetAction, Probe
    from minirun.pod.probes.command import RunExec
    from minirun.pod.probes.conversation import ProbeResult, Talk


def talk(probe: Probe, container: Container, address: str, run_exec: RunExec) -> Talk[ProbeResult]:
    """Asks ``container``, in the pod at ``address``, once."""
    if probe.exec:
        return (yield from command.talk(container.name, probe.exec.command, run_exec))
    if probe.httpGet:
        return (yield from http.talk(request(probe.httpGet, container, address)))
    if probe.tcpSocket:
        port = port_of(probe.tcpSocket.port, container)
        return (yield from tcp.talk(probe.tcpSocket.host or address, port))
    if probe.grpc:
        port = port_of(probe.grpc.port, container)
        return (yield from grpc.talk(address, port, probe.grpc.service or ""))
    raise Failed("the probe says nothing to do: one of exec, httpGet, tcpSocket, grpc")


def request(
    action: HTTPGetAction, container: Container, address: str, agent: str = http.PROBE_AGENT
) -> http.Request:
    """What an httpGet asks for. Raises Failed if its port is none."""
    return http.Request(
        address=action.host or address,
        port=port_of(action.port, container),
        path=action.path or "/",
        scheme=action.scheme or "HTTP",
        headers=tuple((header.name, header.value) for header in action.httpHeaders),
        agent=agent,
    )


def port_of(port: int | str, container: Container) -> int:
    """The number of a port, which may be the name of one of the container's. Raises Failed."""
    named = {one.name: one.containerPort for one in container.ports if one.name}
    number = named.get(port, port) if isinstance(port, str) else port
    try:
        number = int(number)
    except ValueError:
        raise Failed(f"container {container.name} has no port of the name {port!r}") from None
    if not 0 < number < 65536:
        raise Failed(f"{port} is no port: 1 to 65535")
    return number
