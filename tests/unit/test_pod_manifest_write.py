"""What is written as YAML is read back as the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minirun.pod.manifest.read import read
from minirun.pod.manifest.types import (
    ConfigMap,
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    EnvVar,
    ObjectMeta,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)
from minirun.pod.manifest.write import as_written, write
from minirun.values import replace


def pod_with(value: str) -> Pod:
    """A pod that says ``value``."""
    main = Container(
        name="main",
        image="busybox",
        command=("sh", "-c", value),
        env=(EnvVar(name="A", value=value), EnvVar(name="B", value="")),
        resources=ResourceRequirements(limits={"cpu": "1", "memory": "1e3"}),
    )
    return Pod(metadata=ObjectMeta(name="web"), spec=PodSpec(containers=(main,), hostUsers=False))


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("yes")
@example("22:22")
@example("0755")
@example("1e3")
@example("089")
@example("<<")
@example("=")
@example("~")
@example("2024-01-01")
@example("y")
@example("two\nlines\n")
@example(" - a: |\n\n  b\n \n\n")
@example("tab\tand\x00null and \x85 and \ufeff")
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back(value: str) -> None:
    """Whatever YAML would make of it, were it not quoted."""
    pod = pod_with(value)
    data = ConfigMap(metadata=ObjectMeta(name="data"), data={"key": value})
    again = read(write([pod, data]), "again.yaml")
    assert (again.pods, again.config_maps) == ((pod,), (data,))


def test_a_manifest_is_written_as_one_writes_it() -> None:
    """apiVersion and kind at the top, no defaults, a script as a block."""
    assert write([pod_with("set -e\ntrue\n")]) == (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: main\n"
        "    image: busybox\n    command:\n    - sh\n    - -c\n    - |\n      set -e\n      true\n    env:\n"
        "    - name: A\n      value: |\n        set -e\n        true\n    - name: B\n"
        '      value: ""\n'
        '    resources:\n      limits:\n        cpu: "1"\n        memory: "1e3"\n  hostUsers: false\n'
    )


def test_a_status_is_written_and_passed_over_when_it_is_read() -> None:
    """`pod inspect --format yaml` can be created anew."""
    running = ContainerState(running=ContainerStateRunning(startedAt="2030-01-01T00:00:00Z"))
    status = PodStatus(
        phase="Running",
        containerStatuses=(
            ContainerStatus(name="main", state=running, ready=True, restartCount=0, image="a", imageID="b"),
        ),
    )
    pod = pod_with("true")
    text = write([replace(pod, status=status)])
    assert "phase: Running" in text and 'startedAt: "2030-01-01T00:00:00Z"' in text.replace("'", '"')
    again = read(text, "again.yaml")
    assert again.pods == (pod,)
    assert [note.field for note in again.notes] == ["status"]


def test_what_is_written_is_plain() -> None:
    """Dicts, lists and scalars, for JSON as well."""
    import json

    assert json.loads(json.dumps(as_written(pod_with("x")))) == as_written(pod_with("x"))


@pytest.mark.parametrize("count", [0, 3])
def test_several_documents(count: int) -> None:
    """Each begins with ---."""
    text = write([ConfigMap(metadata=ObjectMeta(name=f"a{n}")) for n in range(count)])
    assert text.count("apiVersion") == count and text.count("---") == max(count - 1, 0)
