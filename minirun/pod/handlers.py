"""Lifecycle hooks: postStart and preStop, each run once.

Layer: pod. exec, httpGet and sleep; tcpSocket stands in the API and was never
run by anybody, so it is refused. Of an httpGet every answer is good, whatever
its status, as with the kubelet: that there is one is what counts. A hook is a
conversation (probes/conversation.py), so a supervisor drives many of them
beside its probes; it has as long as it is given (a preStop: what is left of the
grace period; a postStart: no end). Kubernetes, "Container Lifecycle Hooks".
"""

from __future__ import annotations

from minirun.pod.probes import ask, command, http, tls
from minirun.pod.probes.conversation import Failed, ProbeResult, Want
from minirun.pod.probes.conversation import run as drive
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, HTTPGetAction, LifecycleHandler
    from minirun.pod.probes.command import RunExec
    from minirun.pod.probes.conversation import Talk


def run(
    handler: LifecycleHandler,
    container: Container,
    address: str,
    run_exec: RunExec,
    seconds: float | None = None,
) -> ProbeResult:
    """Runs a hook of ``container``, in the pod at ``address``, and waits for its end.

    No longer than ``seconds``, if that is given. Never raises for what the hook does.
    """
    return drive(talk(handler, container, address, run_exec), seconds)


def talk(
    handler: LifecycleHandler, container: Container, address: str, run_exec: RunExec
) -> Talk[ProbeResult]:
    """The same as a conversation."""
    if handler.exec:
        return (yield from command.talk(container.name, handler.exec.command, run_exec))
    if handler.httpGet:
        return (yield from _get(handler.httpGet, container, address))
    if handler.sleep:
        seconds = handler.sleep.seconds
        yield Want(seconds=seconds, doing=f"sleeping for {seconds} s")
        return ProbeResult(success=True, message=f"slept for {seconds} s")
    if handler.tcpSocket:
        raise Failed(
            "a hook cannot be a tcpSocket, which Kubernetes has given up: use exec, httpGet or sleep"
        )
    raise Failed("the hook says nothing to do: one of exec, httpGet, sleep")


def _get(action: HTTPGetAction, container: Container, address: str) -> Talk[ProbeResult]:
    request = ask.request(action, container, address, http.HOOK_AGENT)
    try:
        result = yield from http.talk(request)
    except tls.NotSpoken:
        # As with the kubelet, whose hooks once did not look at the scheme; but nothing secret in the clear.
        headers = tuple(pair for pair in request.headers if pair[0].lower() != "authorization")
        result = yield from http.talk(replace(request, scheme="HTTP", headers=headers))
    return ProbeResult(success=True, message=result.message)
