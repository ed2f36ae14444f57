"""The downward API: fields and resources of a pod, as text."""

from __future__ import annotations

import pytest

from minirun.errors import InvalidInput
from minirun.pod import downward
from minirun.pod.downward import Context, Node
from minirun.pod.manifest.types import (
    Container,
    ObjectMeta,
    Pod,
    PodSpec,
    ResourceFieldSelector,
    ResourceRequirements,
)

META = ObjectMeta(
    name="web",
    namespace="shop",
    uid="1234-5678",
    labels={"tier": "front", "app": "web"},
    annotations={"example.org/note": 'say "hi"\nand go', "build": "two"},
)
LIMITED = ResourceRequirements(
    limits={"cpu": "1500m", "memory": "64Mi", "ephemeral-storage": "1G"},
    requests={"cpu": "250m", "memory": "32Mi"},
)
MAIN = Container(name="main", resources=LIMITED)
FREE = Container(name="free")
INIT = Container(name="init", resources=ResourceRequirements(limits={"cpu": "3"}))


def context(**more: object) -> Context:
    """The pod of this file, on a node with 4 CPUs."""
    spec = PodSpec(containers=(MAIN, FREE), initContainers=(INIT,), **more)
    node = Node(
        name="machine",
        addresses=("192.0.2.1", "2001:db8::1"),
        capacity={"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi"},
    )
    return Context(pod=Pod(metadata=META, spec=spec), node=node, addresses=("10.88.0.2", "fd00::2"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "1234-5678"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['build']", "two"),
        ("metadata.annotations['example.org/note']", 'say "hi"\nand go'),
        ("spec.nodeName", "machine"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.88.0.2"),
        ("status.podIPs", "10.88.0.2,fd00::2"),
        ("status.hostIP", "192.0.2.1"),
        ("status.hostIPs", "192.0.2.1,2001:db8::1"),
    ],
)
def test_fields_as_variables(path: str, value: str) -> None:
    """Every path that a variable may have."""
    assert downward.variable(context(), path) == value


def test_the_manifest_wins_over_the_node() -> None:
    """Where it names its node and its service account."""
    pod = context(nodeName="other", serviceAccountName="robot")
    assert downward.variable(pod, "spec.nodeName") == "other"
    assert downward.variable(pod, "spec.serviceAccountName") == "robot"


def test_before_there_is_an_address() -> None:
    """A pod without a sandbox has none, and is in the default namespace if none is named."""
    bare = Context(pod=Pod(spec=PodSpec(containers=(MAIN,))))
    for path in ("status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs"):
        assert downward.variable(bare, path) == ""
    assert downward.variable(bare, "metadata.namespace") == "default"


@pytest.mark.parametrize(
    "path",
    [
        "metadata.labels",
        "metadata.annotations",
        "metadata.labels['']",
        "metadata.labels[app]",
        "metadata.name['x']",
        "metadata.generation",
        "spec.hostname",
        "status.phase",
        "",
    ],
)
def test_no_such_variable(path: str) -> None:
    """Whole maps are for files, and the rest is not known to a pod."""
    with pytest.raises(InvalidInput, match="fieldRef"):
        downward.variable(context(), path)


def test_fields_as_files() -> None:
    """Maps: a line for each key, in order, as Go quotes a string; the last one is not ended."""
    pod = context().pod
    assert downward.file(pod, "metadata.labels") == 'app="web"\ntier="front"'
    expected = 'build="two"\nexample.org/note="say \\"hi\\"\\nand go"'
    assert downward.file(pod, "metadata.annotations") == expected
    assert downward.file(pod, "metadata.uid") == "1234-5678"
    assert downward.file(pod, "metadata.labels['app']") == "web"


@pytest.mark.parametrize("path", ["status.podIP", "spec.nodeName", "status.hostIPs", "spec"])
def test_no_such_file(path: str) -> None:
    """What is known only later, or changes, cannot be a file."""
    with pytest.raises(InvalidInput, match="fieldRef"):
        downward.file(context().pod, path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", '""'),
        ("plain ünï ☃", '"plain ünï ☃"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\0\x1b\x7f", '"\\x00\\x1b\\x7f"'),
        ("\u00a0\u200b\u2028", '"\\u00a0\\u200b\\u2028"'),
        ("\U0010fffd", '"\\U0010fffd"'),
        ("'$`", '"\'$`"'),
    ],
)
def test_quoted(text: str, shown: str) -> None:
    """strconv.Quote of Go: what is no letter, mark, number, sign or plain space is escaped."""
    assert downward.quoted(text) == shown


@pytest.mark.parametrize(
    ("resource", "divisor", "container", "value"),
    [
        ("limits.cpu", None, "", "2"),  # 1.5 rounded up
        ("limits.cpu", "1m", "", "1500"),
        ("limits.cpu", "0", "", "2"),
        ("requests.cpu", None, "", "1"),
        ("requests.cpu", "1m", "", "250"),
        ("requests.cpu", "100m", "", "3"),
        ("limits.memory", None, "", str(64 << 20)),
        ("limits.memory", "1Mi", "", "64"),
        ("limits.memory", "1M", "", "68"),  # 67.1 rounded up
        ("limits.memory", "1Gi", "", "1"),
        ("requests.memory", "1Ki", "", "32768"),
        ("limits.ephemeral-storage", "1M", "", "1000"),
        # Of which nothing is said: a request is the limit, or nothing; a limit what the node has.
        ("requests.ephemeral-storage", "1M", "", "1000"),
        ("limits.cpu", None, "free", "4"),
        ("limits.memory", "1Gi", "free", "8"),
        ("limits.ephemeral-storage", "1Gi", "free", "100"),
        ("requests.cpu", "1m", "free", "0"),
        ("requests.memory", None, "free", "0"),
        ("limits.cpu", None, "init", "3"),
        ("requests.cpu", "1m", "init", "3000"),
        ("limits.hugepages-2Mi", None, "", "0"),
    ],
)
def test_resources(resource: str, divisor: str | None, container: str, value: str) -> None:
    """In units of the divisor, rounded up."""
    selector = ResourceFieldSelector(resource=resource, divisor=divisor, containerName=container)
    assert downward.resource(context(), selector, MAIN) == value


def test_the_pods_own_limit_is_a_containers() -> None:
    """Before the node's."""
    pod = context(resources=ResourceRequirements(limits={"memory": "1Gi"}))
    selector = ResourceFieldSelector(resource="limits.memory", divisor="1Mi", containerName="free")
    assert downward.resource(pod, selector) == "1024"


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        (ResourceFieldSelector(resource="limits.gpu", containerName="main"), "not a resource"),
        (ResourceFieldSelector(resource="cpu", containerName="main"), "not a resource"),
        (ResourceFieldSelector(resource="limits.cpu"), "of which container"),
        (ResourceFieldSelector(resource="limits.cpu", containerName="nobody"), "'nobody'"),
        (ResourceFieldSelector(resource="limits.cpu", containerName="main", divisor="x"), "cannot be told"),
        (ResourceFieldSelector(resource="limits.cpu", containerName="main", divisor="-1"), "cannot be told"),
    ],
)
def test_no_such_resource(selector: ResourceFieldSelector, why: str) -> None:
    """Refused by name."""
    with pytest.raises(InvalidInput, match=why):
        downward.resource(context(), selector)
