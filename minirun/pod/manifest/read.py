"""A manifest file: from text to the pods it asks for, or to everything wrong with it.

Layer: pod; pure. A file has documents, a document is an object (or a List of
them), and an object is a Pod, a ConfigMap, a Secret, or something that makes
pods: a Deployment (``replicas`` of them), a Job and a DaemonSet (one). What goes
in is nodes.py's and decode.py's, whether it makes sense is validate.py's; here
the documents are told apart and put together.
"""

from __future__ import annotations

import os

from minirun.pod.manifest import nodes, rules_data, tables, types, validate
from minirun.pod.manifest.decode import Reading, decode
from minirun.pod.manifest.problems import InvalidManifest, Note, Problem
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minirun.pod.manifest.nodes import Node
    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import (
        ConfigMap,
        ObjectMeta,
        Pod,
        PodTemplateSpec,
        Secret,
    )

#: What can stand in a file, by kind: its apiVersion, and its type.
KINDS: dict[str, tuple[str, type[Value]]] = {
    "Pod": ("v1", types.Pod),
    "ConfigMap": ("v1", types.ConfigMap),
    "Secret": ("v1", types.Secret),
    "Deployment": ("apps/v1", types.Deployment),
    "DaemonSet": ("apps/v1", types.DaemonSet),
    "Job": ("batch/v1", types.Job),
}

#: What the file's author wants instead of a kind that is not there.
_INSTEAD = {
    "PersistentVolumeClaim": "leave the document out: a claim is a local volume here, made on first use",
    "PersistentVolume": "leave the document out: a claim is a local volume here, made on first use",
    "Service": "leave the document out: publish a port with hostPort, or use `minirun pod port-forward`",
    "Namespace": "leave the document out: a namespace is only a name here",
    "ServiceAccount": "leave the document out: there is no API server to have an account with",
    "StatefulSet": "give its template as a Deployment, or as Pods",
    "ReplicaSet": "give it as a Deployment",
    "ReplicationController": "give it as a Deployment",
    "CronJob": "give its jobTemplate as a Job, and start it from cron(8)",
}


#: Of a pod and a container together: they are one file's name, with a sign between them, and the
#: number of the restart (NAME_MAX).
LONGEST_NAMES = 255 - len("__1000000")


class Documents(Value):
    """What a file asks for."""

    name: str
    pods: tuple[Pod, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    secrets: tuple[Secret, ...] = ()
    owners: tuple[tuple[str, str, str], ...] = ()
    """Kind, namespace and name of what made pods: a Deployment may ask for none any more."""
    notes: tuple[Note, ...] = ()
    """What is set aside, in the order of the file."""
    warnings: tuple[str, ...] = ()
    """With ``lenient``: what would have been refused."""


def read(text: str, name: str, lenient: bool = False) -> Documents:
    """The objects of a manifest; ``name`` is the file's, for errors.

    With ``lenient`` an unknown field is a warning. Raises InvalidInput for what is
    no YAML, and InvalidManifest, which has every mistake with its path and line.
    """
    found: list[Value] = []
    reading = Reading(name, lenient)
    problems: list[Problem] = []
    empty = True
    for node in nodes.documents(text, name):
        empty = False
        reading.lines, reading.problems = {}, []
        found += _objects(node, "", reading)
        problems += reading.problems
    if empty:
        problems.append(Problem(line=1, path="", what="the file has no objects"))
    if problems:
        raise InvalidManifest(name, problems)
    return Documents(
        name=name,
        pods=tuple(one for one in found if isinstance(one, types.Pod)),
        config_maps=tuple(one for one in found if isinstance(one, types.ConfigMap)),
        secrets=tuple(one for one in found if isinstance(one, types.Secret)),
        owners=tuple(reading.owners),
        notes=tuple(sorted(reading.notes, key=lambda note: note.line)),
        warnings=tuple(reading.warnings),
    )


def _objects(node: Node, path: str, reading: Reading) -> Iterator[Value]:
    """The objects of one document: pods, and the data that they use."""
    kind, version = _word(node, "kind", path, reading), _word(node, "apiVersion", path, reading)
    if not kind or not version:
        return
    if kind == "List" and version == "v1" and not path:
        yield from _items(node, reading)
        return
    below = f"{path}." if path else ""
    if kind not in KINDS:
        reading.problem(f"{below}kind", f"{kind} is not supported: {_INSTEAD.get(kind, _kinds())}")
        return
    wanted, of = KINDS[kind]
    if version != wanted:
        reading.problem(f"{below}apiVersion", f"a {kind} is {wanted}, not {version}")
        return
    yield from _finished(decode(node, of, path, reading), path, reading)


def _word(node: Node, field: str, path: str, reading: Reading) -> str:
    """``kind`` or ``apiVersion``: what decides how all the rest is read."""
    place = f"{path}.{field}" if path else field
    if not isinstance(node.value, dict):
        if field == "kind":
            reading.problem(path, "an object is a map that begins with apiVersion and kind", node.line)
        return ""
    line, inner = node.value.get(field, (node.line, None))
    reading.lines[place] = line
    if inner is None or not isinstance(inner.value, str) or not inner.value:
        reading.problem(place, "is required, as text", line)
        return ""
    return inner.value


def _items(node: Node, reading: Reading) -> Iterator[Value]:
    known = ("apiVersion", "kind", "items", "metadata")
    for key, (line, _) in node.value.items():
        if key not in known:
            reading.problem(key, "no such field in a List", line)
    _, items = node.value.get("items", (0, None))
    if items is None or not isinstance(items.value, list):
        reading.problem("items", "is required, as a list of objects", node.line)
        return
    for index, item in enumerate(items.value):
        yield from _objects(item, f"items[{index}]", reading)


def _kinds() -> str:
    return f"minirun reads {', '.join(KINDS)} and List"


def _finished(given: Value, path: str, reading: Reading) -> Iterator[Value]:
    """Checked, and with templates turned into pods."""
    below = f"{path}." if path else ""
    if isinstance(given, types.Pod):
        _say(validate.validate(_completed(given)), below, reading)
        _note(tables.noted(given, path), reading)
        _note(validate.notes(given.spec, f"{below}spec"), reading)
        made: list[Value] = [replace(_completed(given), metadata=_named(given.metadata))]
    elif isinstance(given, (types.ConfigMap, types.Secret)):
        _say(validate.validate_data(given), below, reading)
        made = [given]
    else:
        made = list(_expanded(given, path, below, reading))
    for one in made:
        _must_be_new(one, below, reading)
    yield from made


def _expanded(given: Value, path: str, below: str, reading: Reading) -> Iterator[Pod]:
    """The pods of a Deployment, a Job or a DaemonSet."""
    from minirun.pod.manifest import rules_workload  # so that a Pod does not pay for it

    spec = given.spec  # type: ignore[attr-defined]  # all three have one
    kind = type(given).__name__
    template: PodTemplateSpec = spec.template
    pod = rules_workload.within(_completed(types.Pod(metadata=template.metadata, spec=template.spec)), spec)
    _say(rules_data.metadata(given.metadata, "metadata"), below, reading)  # type: ignore[attr-defined]  # the same
    _say(tables.check(given, ""), below, reading)
    _say(rules_workload.check(kind, spec), below, reading)
    _say(validate.rules(pod.spec, "spec.template.spec"), below, reading)
    _note(tables.noted(given, path), reading)
    _note(validate.notes(pod.spec, f"{below}spec.template.spec"), reading)
    owner = _named(given.metadata)  # type: ignore[attr-defined]  # the same
    reading.owners.append((kind, owner.namespace or "default", owner.name))
    if getattr(spec, "replicas", None) == 0 or getattr(spec, "suspend", None):
        word = "replicas" if kind == "Deployment" else "suspend"
        _note([(f"{below}spec.{word}", "it asks for no pod")], reading)
    for name in rules_workload.pod_names(kind, owner.name, spec):
        yield replace(pod, metadata=_of_template(template.metadata, owner, kind, name))


def _of_template(template: ObjectMeta, owner: ObjectMeta, kind: str, name: str) -> ObjectMeta:
    """The template's labels and annotations, the owner's namespace, and who the owner is."""
    labels = dict(template.labels)
    if kind == "Job":
        labels |= {"batch.kubernetes.io/job-name": owner.name, "job-name": owner.name}
    reference = types.OwnerReference(apiVersion=KINDS[kind][0], kind=kind, name=owner.name, controller=True)
    return replace(
        template,
        name=name,
        generateName="",
        namespace=owner.namespace,
        labels=labels,
        ownerReferences=(reference,),
    )


def _completed(pod: Pod) -> Pod:
    """A volume that names no source is an emptyDir: the one default that no reader could apply."""
    empty = types.EmptyDirVolumeSource()
    volumes = tuple(
        one
        if len([f for f in one.__fields__ if getattr(one, f) is not None]) > 1
        else replace(one, emptyDir=empty)
        for one in pod.spec.volumes
    )
    return replace(pod, spec=replace(pod.spec, volumes=volumes)) if volumes else pod


def _named(metadata: ObjectMeta) -> ObjectMeta:
    """``generateName: web-`` becomes web-x7k2p, another one every time."""
    if metadata.name or not metadata.generateName:
        return metadata
    letters = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words that somebody minds
    end = "".join(letters[byte % len(letters)] for byte in os.urandom(5))
    return replace(metadata, name=metadata.generateName + end, generateName="")


def _say(findings: Iterable[Finding], below: str, reading: Reading) -> None:
    for path, what in list(findings):
        # What could not be read is wrong once, not once more for each rule about it.
        if not reading.known(below + path):
            reading.problem(below + path, what)


def _note(findings: Iterable[Finding], reading: Reading) -> None:
    reading.notes += [Note(line=reading.line(place), field=place, why=why) for place, why in findings]


def _must_be_new(one: Value, below: str, reading: Reading) -> None:
    """No two objects of one kind and name, though a pod and a Deployment's may meet."""
    metadata: ObjectMeta = one.metadata  # type: ignore[attr-defined]  # every object has it
    kind = type(one).__name__
    key = kind, metadata.namespace or "default", metadata.name
    if key in reading.names and metadata.name:
        reading.problem(f"{below}metadata.name", f"the file has another {kind} named {metadata.name!r}")
    reading.names.add(key)
    if isinstance(one, types.Pod) and not reading.known(f"{below}metadata.name"):
        longest = max(
            (len(each.name) for each in (*one.spec.initContainers, *one.spec.containers)), default=0
        )
        if len(metadata.name) + longest > LONGEST_NAMES:
            why = f"has {len(metadata.name) + longest} characters with its longest container's"
            reading.problem(
                f"{below}metadata.name", f"{why}, and both in one file's name have {LONGEST_NAMES}"
            )
