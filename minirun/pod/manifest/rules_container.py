"""Rules between the fields of a container, and between containers.

Layer: pod; pure. Apps, init containers, sidecars and ephemeral containers are
one class with different rights. Read next: rules_probe.py. KEP-753 (sidecars),
KEP-5307 (restart rules), KEP-277 (ephemeral containers).
"""

from __future__ import annotations

from minirun.pod.manifest import rules_env, rules_probe, rules_resources, rules_security, rules_volume
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import Container, ContainerPort, PodSpec

MOST_RESTART_RULES, MOST_EXIT_CODES = 20, 255
_HOOKS_AND_PROBES = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
#: rule 31 of what a debugger may not have: the pod's accounts were closed before it came.
_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    *_HOOKS_AND_PROBES,
)


def check(spec: PodSpec, path: str) -> Iterator[Finding]:
    """All containers of a manifest."""
    yield from unique_names(spec, path)
    for index, container in enumerate(spec.containers):
        yield from app(container, spec, f"{path}.containers[{index}]")
    for index, container in enumerate(spec.initContainers):
        yield from init(container, spec, f"{path}.initContainers[{index}]")
    # Init containers run one by one, so only the ports of apps can meet.
    yield from host_ports(spec.containers, f"{path}.containers")
    for index, container in enumerate(spec.initContainers):
        yield from host_ports((container,), f"{path}.initContainers", index)


def app(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """A container that is what the pod is for."""
    yield from _any(container, spec, path)
    yield from rules_probe.check(container, spec, path)
    if container.targetContainerName:
        yield f"{path}.targetContainerName", "is for ephemeral containers only"


def init(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """A container that runs before the apps; with restartPolicy Always, beside them too."""
    if container.restartPolicy == "Always":
        yield from app(container, spec, path)
        if container.restartPolicyRules:
            yield f"{path}.restartPolicyRules", "cannot be given to a sidecar: it is always restarted"
        return
    yield from _any(container, spec, path)
    for field in _HOOKS_AND_PROBES:
        if getattr(container, field) is not None:
            why = "an init container has none: with restartPolicy: Always it is a sidecar, which may"
            yield f"{path}.{field}", why
    if container.targetContainerName:
        yield f"{path}.targetContainerName", "is for ephemeral containers only"


def ephemeral(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """A container that joins later, to look around."""
    yield from _any(container, spec, path)
    for field in _NOT_EPHEMERAL:
        if getattr(container, field):
            yield f"{path}.{field}", "an ephemeral container cannot have it"
    for index, mount in enumerate(container.volumeMounts):
        for field in ("subPath", "subPathExpr"):
            if getattr(mount, field):
                yield f"{path}.volumeMounts[{index}].{field}", "an ephemeral container cannot have it"
    others = [other.name for other in (*spec.containers, *spec.initContainers)]
    if container.targetContainerName and container.targetContainerName not in others:
        why = f"the pod has no container {container.targetContainerName!r}: it has {', '.join(others)}"
        yield f"{path}.targetContainerName", why


def _any(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    if container.image != container.image.strip():
        yield f"{path}.image", "has blanks at its beginning or end"
    yield from port_names(container.ports, f"{path}.ports")
    yield from restart_rules(container, path)
    yield from rules_env.check(container, spec, path)
    yield from rules_resources.check_container(container, path)
    yield from rules_security.check_container(container, spec, path)
    yield from rules_volume.check_mounts(container, spec, f"{path}.volumeMounts")


def unique_names(spec: PodSpec, path: str, joins: Container | None = None) -> Iterator[Finding]:
    """No two containers of a pod have one name, whatever kind they are."""
    seen: set[str] = set()
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(getattr(spec, kind)):
            if container.name in seen and container.name:
                yield f"{path}.{kind}[{index}].name", f"another container is named {container.name!r}"
            seen.add(container.name)
    if joins and joins.name in seen:
        yield "name", f"the pod has a container {joins.name!r} already"


def port_names(ports: tuple[ContainerPort, ...], path: str) -> Iterator[Finding]:
    """Within a container a port's name means one port."""
    seen: set[str] = set()
    for index, port in enumerate(ports):
        if port.name and port.name in seen:
            yield f"{path}[{index}].name", f"another port of the container is named {port.name!r}"
        seen.add(port.name)


def host_ports(containers: tuple[Container, ...], path: str, first: int = 0) -> Iterator[Finding]:
    """A port of the host leads to one place."""
    seen: set[tuple[str, str, int]] = set()
    for number, container in enumerate(containers, first):
        for index, port in enumerate(container.ports):
            if not port.hostPort:
                continue
            key = port.protocol or "TCP", port.hostIP, port.hostPort
            if key in seen:
                place = f"{path}[{number}].ports[{index}].hostPort"
                yield place, f"another container of the pod has {port.hostPort}/{key[0]} of the host"
            seen.add(key)


def restart_rules(container: Container, path: str) -> Iterator[Finding]:
    """Rules refine a policy that the container names itself."""
    rules = container.restartPolicyRules
    if rules and not container.restartPolicy:
        yield f"{path}.restartPolicy", "is required beside restartPolicyRules, even if it is the pod's"
    if len(rules) > MOST_RESTART_RULES:
        yield f"{path}.restartPolicyRules", f"has {len(rules)}, and {MOST_RESTART_RULES} are the most"
    for index, rule in enumerate(rules):
        place = f"{path}.restartPolicyRules[{index}].exitCodes"
        if rule.exitCodes is None:
            yield place, "is required"
            continue
        values = rule.exitCodes.values
        if not 0 < len(values) <= MOST_EXIT_CODES:
            yield f"{place}.values", f"needs 1 to {MOST_EXIT_CODES} exit codes"
        if len(set(values)) != len(values):
            yield f"{place}.values", "names an exit code twice"
