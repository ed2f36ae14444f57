"""Whether a container that ended is started again: by its policy, and by how it ended.

Layer: pod; pure. The pod has a restartPolicy, a container may have its own
(KEP-5307), and rules on exit statuses that come before it:

    rules of the container       the first that names the status: Restart
    policy of the container      Always, OnFailure, Never
    policy of the pod            the same three; Always if it says nothing

An init container is a task: exit 0 completes it under every policy, and
Always means OnFailure. One whose own policy is Always is no task at all: it is
a sidecar (KEP-753), which runs as long as the apps do. When a restart may take
place is backoff.py's to say. Kubernetes, "Pod Lifecycle".
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, PodSpec
    from minirun.pod.observed import Ended

ALWAYS, ON_FAILURE, NEVER = "Always", "OnFailure", "Never"

#: Why a container was stopped though the pod goes on: so that it is started anew.
LIVENESS, STARTUP, POST_START, SANDBOX = "LivenessProbe", "StartupProbe", "PostStartHook", "SandboxDied"
TO_RESTART = (LIVENESS, STARTUP, POST_START, SANDBOX)


def is_sidecar(container: Container) -> bool:
    """Whether this init container is one: it stays."""
    return container.restartPolicy == ALWAYS


def is_task(spec: PodSpec, container: Container) -> bool:
    """Whether it is an init container that runs to its end."""
    return not is_sidecar(container) and any(container.name == init.name for init in spec.initContainers)


def restarts(spec: PodSpec, container: Container, ended: Ended) -> bool:
    """Whether ``container``, which ended like this, shall run again; of an init
    container that it did not complete."""
    code = ended.exitCode
    policy = container.restartPolicy or spec.restartPolicy or ALWAYS
    if is_task(spec, container) and code == 0:
        return False
    if container.restartPolicy and _rule_fits(container, code):
        return True
    if ended.stopped in TO_RESTART:
        # A program that obeys the signal well exits 0: it was stopped for a fresh start all the same.
        return policy != NEVER
    return policy == ALWAYS or (policy == ON_FAILURE and code != 0)


def _rule_fits(container: Container, code: int) -> bool:
    for rule in container.restartPolicyRules:
        codes = rule.exitCodes
        if codes and (code in codes.values) == (codes.operator == "In"):
            return rule.action == "Restart"
    return False
