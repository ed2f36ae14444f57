"""The API server's rules: whether a typed manifest makes sense.

Layer: pod; pure. Rules about one field are rows of tables.py, those between
fields are functions, a file for each noun. Every rule yields findings (a path
and what is wrong) and none raises, so that all of them are heard. Read next:
rules_pod.py, rules_container.py, rules_probe.py, rules_volume.py,
rules_security.py, rules_resources.py, rules_data.py, rules_workload.py. The API server's
`pkg/apis/core/validation`, and the kubelet's where it would refuse to start.
"""

from __future__ import annotations

from minirun.pod.manifest import rules_container, rules_data, rules_pod, rules_resources, tables
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import ConfigMap, Container, Pod, PodSpec, Secret


def validate(pod: Pod) -> Iterator[Finding]:
    """What is wrong with ``pod``, as (path, what); nothing comes of a valid one."""
    yield from rules_data.metadata(pod.metadata, "metadata")
    yield from tables.check(pod.metadata, "metadata")
    yield from tables.check(pod.spec, "spec")
    yield from rules(pod.spec, "spec")


def rules(spec: PodSpec, path: str) -> Iterator[Finding]:
    """The rules between fields, of a pod's spec or of a template's."""
    yield from rules_pod.check(spec, path)
    yield from rules_container.check(spec, path)


def notes(spec: PodSpec, path: str) -> Iterator[Finding]:
    """What is accepted and has no effect, because of something else (of a field alone: tables.py)."""
    yield from rules_pod.notes(spec, path)
    yield from rules_resources.notes(spec, path)


def validate_container(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """A container that joins a pod which runs already (`minirun run --pod`)."""
    yield from tables.check(container, path)
    yield from rules_container.app(container, spec, path)
    yield from rules_container.unique_names(spec, "spec", joins=container)


def validate_ephemeral(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """An ephemeral container that joins a pod (`minirun pod debug`)."""
    yield from tables.check(container, path)
    yield from rules_container.ephemeral(container, spec, path)
    yield from rules_container.unique_names(spec, "spec", joins=container)


def validate_data(given: ConfigMap | Secret) -> Iterator[Finding]:
    """A ConfigMap or Secret."""
    yield from rules_data.metadata(given.metadata, "metadata")
    yield from tables.check(given, "")
    yield from rules_data.check(given)
