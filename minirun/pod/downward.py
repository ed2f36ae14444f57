"""The downward API: what a container may be told of its own pod, as text.

Layer ``pod``, pure. Two selectors: ``fieldRef`` names a field of the pod,
``resourceFieldRef`` a request or a limit of one of its containers. Both occur as
the source of a variable (``environment.py``, read it next) and of a file
(``volumes/contents.py``); some fields are for one of the two alone. Kubernetes:
"Downward API".
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.pod import quantity
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minirun.pod.manifest.types import ConfigMap, Container, Pod, ResourceFieldSelector, Secret


class Node(Value):
    """The machine, as a pod is told of it. ``capacity`` has quantities: ``{"cpu": "2", "memory": "4Gi"}``."""

    name: str = ""
    addresses: tuple[str, ...] = ()
    capacity: dict[str, str] = {}


class Context(Value):
    """A pod and everything that its manifest may refer to; ConfigMaps and Secrets by name."""

    pod: Pod
    config_maps: dict[str, ConfigMap] = {}
    secrets: dict[str, Secret] = {}
    node: Node = Node()
    addresses: tuple[str, ...] = ()
    """The pod's own, the one of status.podIP first; none before there is a sandbox."""


#: Fields that a file cannot have: it is written before they are known, and would have to follow them.
_VARIABLES_ONLY = (
    *("spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
#: Whole maps: several lines, which are no use as a variable.
_FILES_ONLY = ("metadata.labels", "metadata.annotations")


def variable(context: Context, path: str) -> str:
    """The field ``path`` as a variable's value. Raises InvalidInput."""
    if path in _FILES_ONLY:
        raise InvalidInput(
            f"fieldRef {path!r} cannot be a variable",
            "it is a map of many lines",
            f"name one key: {path}['KEY'], or use a downwardAPI volume",
        )
    if path not in _VARIABLES_ONLY:
        return _metadata(context.pod, path)
    spec, node = context.pod.spec, context.node
    return {
        "spec.nodeName": spec.nodeName or node.name,
        "spec.serviceAccountName": spec.serviceAccountName or spec.serviceAccount or "default",
        "status.hostIP": node.addresses[0] if node.addresses else "",
        "status.hostIPs": ",".join(node.addresses),
        "status.podIP": context.addresses[0] if context.addresses else "",
        "status.podIPs": ",".join(context.addresses),
    }[path]


def file(pod: Pod, path: str) -> str:
    """The field ``path`` as a file's text. Raises InvalidInput."""
    if path in _VARIABLES_ONLY:
        raise InvalidInput(
            f"fieldRef {path!r} cannot be a file of a volume",
            "only fields of the pod's metadata can",
            "take it as a variable: env[].valueFrom.fieldRef",
        )
    return _metadata(pod, path)


def _metadata(pod: Pod, path: str) -> str:
    data = pod.metadata
    known = {
        "metadata.name": data.name,
        "metadata.namespace": data.namespace or "default",
        "metadata.uid": data.uid,
    }
    if path in known:
        return known[path]
    maps = {"metadata.labels": data.labels, "metadata.annotations": data.annotations}
    if path in maps:
        return lines(maps[path])
    name, _, rest = path.partition("['")
    if name in maps and rest.endswith("']") and len(rest) > 2:
        return maps[name].get(rest[:-2], "")
    raise InvalidInput(
        f"fieldRef {path!r} is not a field that a pod can be told",
        f"there are {', '.join((*known, *maps))}, metadata.labels['KEY'], metadata.annotations['KEY'], "
        f"and as variables {', '.join(_VARIABLES_ONLY)}",
        "correct the fieldPath",
    )


def lines(fields: Mapping[str, str]) -> str:
    """Labels or annotations as ``key="value"``, a line each, by key; the last one is not ended."""
    return "\n".join(f"{key}={quoted(value)}" for key, value in sorted(fields.items()))


#: As in Go, whose strings these are.
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def quoted(text: str) -> str:
    """``text`` in double quotes, what cannot be printed escaped as a Go string has it."""
    return '"' + "".join([_ESCAPES.get(sign) or _escaped(sign) for sign in text]) + '"'


def _escaped(sign: str) -> str:
    number = ord(sign)
    if sign.isprintable():
        return sign
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def resource(context: Context, selector: ResourceFieldSelector, own: Container | None = None) -> str:
    """A request or limit in units of the selector's divisor, rounded up.

    ``own`` is the container that asks, which is meant where none is named. A
    limit that is not set is the pod's, and else what the node has; a request
    that is not set is the limit, and else 0. Raises InvalidInput.
    """
    container = _named(context.pod, selector, own)
    kind, _, name = selector.resource.partition(".")
    if kind not in ("limits", "requests") or not _is_known(name):
        raise InvalidInput(
            f"resourceFieldRef {selector.resource!r} is not a resource",
            "there are limits and requests, each .cpu, .memory, .ephemeral-storage or .hugepages-SIZE",
            "correct it: limits.memory",
        )
    amount = (_request if kind == "requests" else _limit)(context, container, name)
    try:
        # A divisor of 0 is how an API server says that none was given.
        divisor = selector.divisor if selector.divisor and any(quantity.parse(selector.divisor)[:1]) else "1"
        return str(quantity.divided(amount, divisor))
    except ValueError as error:
        raise InvalidInput(
            f"resourceFieldRef {selector.resource} cannot be told", str(error), "correct the quantity"
        ) from error


def _request(context: Context, container: Container, name: str) -> str:
    given = container.resources
    return (given.requests.get(name) or given.limits.get(name) if given else None) or "0"


def _limit(context: Context, container: Container, name: str) -> str:
    for given in (container.resources, context.pod.spec.resources):
        if given and name in given.limits:
            return given.limits[name]
    return context.node.capacity.get(name, "0")


def _named(pod: Pod, selector: ResourceFieldSelector, own: Container | None) -> Container:
    if not selector.containerName:
        if own is None:
            raise InvalidInput(
                f"resourceFieldRef {selector.resource} does not say of which container",
                "a volume belongs to no container",
                "add containerName",
            )
        return own
    everybody = (*pod.spec.containers, *pod.spec.initContainers)
    for container in everybody:
        if container.name == selector.containerName:
            return container
    raise InvalidInput(
        f"resourceFieldRef {selector.resource} names the container {selector.containerName!r}",
        "the pod has none of that name",
        f"one of {', '.join(each.name for each in everybody)}",
    )


def _is_known(name: str) -> bool:
    return name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")
