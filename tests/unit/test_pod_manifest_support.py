"""The support table says the truth about the types, and the examples cover it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from minirun.pod.manifest import support, tables, types
from minirun.pod.manifest.decode import shapes_of
from minirun.pod.manifest.problems import InvalidManifest
from minirun.pod.manifest.read import Documents, read
from minirun.pod.manifest.write import write
from minirun.values import Value, replace

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted((Path(__file__).parents[1] / "pod" / "manifests").glob("*.yaml"))

#: Every structure that can be read, by name.
STRUCTURES: dict[str, type[Value]] = {
    name: kind
    for name, kind in vars(types).items()
    if isinstance(kind, type) and issubclass(kind, Value) and not kind.__module__.endswith("types_status")
}
FIELDS = {f"{name}.{field}" for name, kind in STRUCTURES.items() for field in kind.__fields__}


def expectation(path: Path) -> list[str]:
    """The words of an example's first line: ``# expect: refused spec.volumes[0].nfs``."""
    first = path.read_text().partition("\n")[0]
    assert first.startswith("# expect: "), f"{path.name} does not say what to expect"
    return first.removeprefix("# expect: ").split()


def each_example(*, refused: bool) -> pytest.MarkDecorator:
    """Runs a test for every example that is, or is not, to be refused."""
    chosen = [path for path in EXAMPLES if (expectation(path)[0] == "refused") is refused]
    return pytest.mark.parametrize("path", chosen, ids=lambda path: path.stem)


# --- the table --------------------------------------------------------------------


def test_every_field_of_the_types_is_in_the_table() -> None:
    """As the last word of a path, under the structure it belongs to."""
    shown = {path for path, _, _ in support.rows()}
    reached = set()
    for kind, prefix in reachable(types.Pod, ""):
        for field in kind.__fields__:
            reached.add(f"{kind.__name__}.{field}")
            assert {f"{prefix}{field}", f"{prefix}{field}[]"} & shown, f"{prefix}{field} is not in the table"
    assert {f"PodSpec.{field}" for field in types.PodSpec.__fields__} <= reached
    assert {f"Container.{field}" for field in types.Container.__fields__} <= reached


def reachable(kind: type[Value], prefix: str, met: set[str] | None = None) -> list[tuple[type[Value], str]]:
    """Each supported structure below ``kind``, where it is first met, and its path."""
    met = met if met is not None else set()
    met.add(kind.__name__)
    found = [(kind, prefix)]
    for field, (word, inner) in shapes_of(kind).items():
        suffix = ""
        if word == "list":
            (word, inner), suffix = inner, "[]"
        if (
            word == "structure"
            and inner.__name__ not in met
            and support.status(kind.__name__, field)[0] == "supported"
        ):
            found += reachable(inner, f"{prefix}{field}{suffix}.", met)
    return found


def test_every_row_names_a_field_that_exists() -> None:
    """Of the support tables and of the rules."""
    for rows in (support.NOTED, support.REFUSED, support.WRITTEN_BY_THE_SERVER, support.SAID):
        assert set(rows) <= FIELDS
    for rules in (tables.WORDS, tables.RANGES, tables.FORMATS, tables.REQUIRED):
        assert set(rules) <= FIELDS
    for name, choices in tables.ONE_OF.items():
        assert {f"{name}.{choice}" for choice in choices} <= FIELDS
    for field, word in (*support.REFUSED_VALUES, *support.NOTED_VALUES):
        assert any(word == known.split("-")[0] for known in tables.WORDS[field])
    assert not set(support.NOTED) & set(support.REFUSED)


def test_the_table_for_readers_is_the_codes() -> None:
    """Made by `make pod-fields`."""
    assert (REPOSITORY / "tutorials/pod-fields.md").read_text() == support.page()


def test_the_table_is_markdown() -> None:
    """Three columns, a path once."""
    lines = support.table().splitlines()
    assert lines[:2] == ["| field | here | |", "| --- | --- | --- |"]
    assert all(
        re.fullmatch(r"\| `[\w.\[\]]+` \| (supported|noted|refused) \| .*\|", line) for line in lines[2:]
    )
    paths = [line.split("`")[1] for line in lines[2:]]
    assert len(paths) == len(set(paths))
    assert "| `spec.affinity` | noted | only a cluster can mean that" in support.table()
    assert "| `spec.containers[].volumeDevices[]` | refused |" in support.table()
    assert "| `spec.volumes[].nfs` | refused |" in support.table()


# --- the examples -------------------------------------------------------------------


@each_example(refused=False)
def test_an_example_is_valid(path: Path) -> None:
    """And its pod bears the file's name, so that it is found in the output."""
    found = read(path.read_text(), path.name)
    assert found.pods and found.warnings == ()
    if found.pods[0].metadata.ownerReferences == ():
        assert [pod.metadata.name.startswith(path.stem) for pod in found.pods] == [True]


@each_example(refused=True)
def test_an_example_is_refused_for_the_reason_it_states(path: Path) -> None:
    """Exactly those fields."""
    with pytest.raises(InvalidManifest) as caught:
        read(path.read_text(), path.name)
    assert [one.path for one in caught.value.problems] == expectation(path)[1:]


@each_example(refused=False)
def test_what_is_written_reads_as_the_same(path: Path) -> None:
    """`pod generate` gives back what `pod create` took."""
    found = read(path.read_text(), path.name)
    pods = tuple(without_owner(pod) for pod in found.pods)
    again = read(write([*pods, *found.config_maps, *found.secrets]), "again.yaml")
    assert (again.pods, again.config_maps, again.secrets) == (pods, found.config_maps, found.secrets)


def without_owner(pod: types.Pod) -> types.Pod:
    """A pod as if it had been a document of its own."""
    return replace(pod, metadata=replace(pod.metadata, ownerReferences=()))


#: What only a debugger's container has, or only minirun itself writes.
NOT_IN_A_MANIFEST = {"PodSpec.ephemeralContainers", "Container.targetContainerName"}


def test_the_examples_cover_every_field_that_is_supported_or_noted() -> None:
    """Each field of the table is said at least once in an example that is valid."""
    said: set[str] = set()
    for path in EXAMPLES:
        if expectation(path)[0] != "refused":
            text = path.read_text()
            said |= fields_of(everything(read(text, path.name)))
            # It has become a name by now.
            said |= {"ObjectMeta.generateName"} if "generateName:" in text else set()
    wanted = {
        f"{kind.__name__}.{field}"
        for root in (types.Pod, types.ConfigMap, types.Secret)
        for kind, _ in reachable(root, "")
        for field in kind.__fields__
        if support.status(kind.__name__, field)[0] != "refused" and field not in ("apiVersion", "kind")
    }
    assert sorted(wanted - said - NOT_IN_A_MANIFEST - set(support.WRITTEN_BY_THE_SERVER)) == []


def test_what_only_a_cluster_means_is_noted_and_runs() -> None:
    """One example has all of it."""
    (path,) = [path for path in EXAMPLES if path.stem == "cluster-only"]
    found = read(path.read_text(), path.name)
    noted = {note.field for note in found.notes}
    assert {f"spec.{name.split('.')[1]}" for name in support.NOTED if name.startswith("PodSpec.")} <= noted
    assert {"metadata.uid", "metadata.finalizers", "status", "spec.containers[0].resources.claims"} <= noted
    assert found.pods[0].metadata.uid == "" and found.pods[0].status is None


@pytest.mark.parametrize(("policy", "notes"), [("Always", 2), ("IfNotPresent", 0), ("Never", 0)])
def test_a_word_that_promises_more_is_noted(policy: str, notes: int) -> None:
    """There is no registry that an image could be fetched from each time."""
    (path,) = [path for path in EXAMPLES if path.stem == "volume-image"]
    text = path.read_text().replace("IfNotPresent", policy)
    found = read(text.replace("image: busybox", f"image: busybox\n    imagePullPolicy: {policy}"), path.name)
    assert [note.why for note in found.notes] == [
        "nothing is pulled here: the image is the local store's"
    ] * notes


def everything(found: Documents) -> list[Value]:
    """The objects of a file."""
    return [*found.pods, *found.config_maps, *found.secrets]


def fields_of(values: list[Any]) -> set[str]:
    """``Class.field`` of all that is not at its default, at any depth."""
    found: set[str] = set()
    for value in values:
        if isinstance(value, (tuple, list)):
            found |= fields_of(list(value))
        elif isinstance(value, Value):
            for field in value.__fields__:
                item = getattr(value, field)
                if field not in value.__defaults__ or item != value.__defaults__[field]:
                    found.add(f"{type(value).__name__}.{field}")
                    found |= fields_of([item])
    return found


def test_there_are_examples_enough() -> None:
    """At least forty, each a file of its own."""
    assert len(EXAMPLES) >= 40
