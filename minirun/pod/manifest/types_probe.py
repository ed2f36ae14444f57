"""Probes and hooks: the four ways to ask a container something, and when.

Layer: pod. A probe asks time and again, a hook once; both are one of exec,
httpGet, tcpSocket, grpc, sleep. Read next: types_container.py.
API reference: "Probe", "LifecycleHandler" of "Pod v1 core".
"""

from __future__ import annotations

from minirun.values import Value


class ExecAction(Value):
    """A program run in the container, without a shell; exit status 0 passes."""

    command: tuple[str, ...] = ()


class HTTPHeader(Value):
    """One header line of a request."""

    name: str
    value: str


class HTTPGetAction(Value):
    """A request to the pod's address; 200 to 399 passes."""

    port: int | str
    path: str | None = None
    host: str = ""
    scheme: str | None = None
    protocol: str | None = None
    httpHeaders: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Value):
    """A connection; that it opens passes."""

    port: int | str
    host: str = ""


class GRPCAction(Value):
    """grpc.health.v1.Health/Check; SERVING passes."""

    port: int
    service: str | None = None
    mode: str | None = None


class SleepAction(Value):
    """Nothing, for a while."""

    seconds: int


class Probe(Value):
    """Exactly one of the four actions, and its times in seconds."""

    exec: ExecAction | None = None
    httpGet: HTTPGetAction | None = None
    tcpSocket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initialDelaySeconds: int | None = None
    timeoutSeconds: int | None = None
    periodSeconds: int | None = None
    successThreshold: int | None = None
    failureThreshold: int | None = None
    terminationGracePeriodSeconds: int | None = None


class LifecycleHandler(Value):
    """Exactly one of exec, httpGet, sleep (tcpSocket stands in the API and never worked)."""

    exec: ExecAction | None = None
    httpGet: HTTPGetAction | None = None
    tcpSocket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Value):
    """What happens right after a start, and before a stop."""

    postStart: LifecycleHandler | None = None
    preStop: LifecycleHandler | None = None
    stopSignal: str | None = None
