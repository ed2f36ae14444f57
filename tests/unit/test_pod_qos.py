"""The QoS class and what follows from it (rules 3 to 6 of Kubernetes')."""

from __future__ import annotations

import pytest

from minirun.pod.manifest.types import PodSpec, ResourceRequirements
from minirun.pod.qos import (
    PAUSE_OOM_SCORE,
    cgroup_parent,
    cgroup_path,
    oom_score_adj,
    parent_resources,
    pod_resources,
    qos_class,
)
from minirun.spec import Cpu, Resources
from tests.unit.pod_toys import app, pod, sidecar, wants

GI = 2**30
SAME = wants("1", "1Gi", "1", "1Gi")
LIMITS = wants(cpu_limit="1", memory_limit="1Gi")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (pod(app()), "BestEffort"),
        (pod(app(resources=wants("0", "0", "0", "0"))), "BestEffort"),
        (pod(app(resources=ResourceRequirements(limits={"ephemeral-storage": "1Gi"}))), "BestEffort"),
        (pod(app(resources=SAME)), "Guaranteed"),
        (pod(app(resources=LIMITS)), "Guaranteed"),
        (pod(app("a", resources=SAME), app("b", resources=LIMITS)), "Guaranteed"),
        (pod(app("a", resources=SAME), app("b")), "Burstable"),
        (pod(app(resources=wants("500m", "1Gi", "1", "1Gi"))), "Burstable"),
        (pod(app(resources=wants(cpu_limit="1"))), "Burstable"),
        (pod(app(resources=wants(memory="1Gi"))), "Burstable"),
        (pod(app(resources=SAME), inits=(app("i"),)), "Burstable"),
        (pod(app(), inits=(app("i", resources=SAME),)), "Burstable"),
        (pod(app(resources=SAME), inits=(app("i", resources=SAME),)), "Guaranteed"),
        (pod(app(), ephemeralContainers=(app("e", resources=SAME),)), "BestEffort"),
        (pod(app(), resources=SAME), "Guaranteed"),
        (pod(app(), resources=wants("1")), "Burstable"),
        # What the pod does not request its containers do, and only else its limit stands for it.
        (pod(app(), resources=LIMITS), "Guaranteed"),
        (pod(app(resources=wants("100m")), resources=LIMITS), "Burstable"),
        (pod(app(resources=wants("1", "1Gi")), resources=LIMITS), "Guaranteed"),
    ],
)
def test_rule_5_class(spec: PodSpec, expected: str) -> None:
    assert qos_class(spec) == expected


@pytest.mark.parametrize(
    ("qos", "path"),
    [
        ("Guaranteed", "kubepods/pod123"),
        ("Burstable", "kubepods/burstable/pod123"),
        ("BestEffort", "kubepods/besteffort/pod123"),
    ],
)
def test_rule_4_tree(qos: str, path: str) -> None:
    assert cgroup_path(qos, "123") == path
    assert path.startswith(f"{cgroup_parent(qos)}/")


def test_rule_4_shares_of_the_parents() -> None:
    burstable = [pod(app(resources=wants("250m"))), pod(app(resources=wants("1")))]
    assert parent_resources("Burstable", burstable) == Resources(cpu=Cpu(shares=1280))
    assert parent_resources("Burstable", []) == Resources(cpu=Cpu(shares=2))
    assert parent_resources("BestEffort", [pod()]) == Resources(cpu=Cpu(shares=2))
    assert parent_resources("Guaranteed", [pod()]) == Resources()


def test_rule_3_the_pods_own_group() -> None:
    assert pod_resources(pod(app())) == Resources(cpu=Cpu(shares=2))
    assert pod_resources(pod(app(resources=SAME))).memory.limit == GI
    assert pod_resources(pod(app(resources=wants("1")))) == Resources(cpu=Cpu(shares=1024))


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (SAME, -997),
        (None, 1000),
        (wants(memory="1Gi"), 900),  # a tenth of the machine's memory
        (wants(memory="5Gi"), 500),
        (wants(memory="10Gi"), 3),  # never as safe as Guaranteed ...
        (wants(memory="1"), 999),  # ... nor as exposed as BestEffort
        (wants("1"), 999),
    ],
)
def test_rule_6_oom_score(resources: ResourceRequirements | None, expected: int) -> None:
    container = app(resources=resources)
    assert oom_score_adj(pod(container), container, capacity=10 * GI) == expected


def test_rule_6_a_sidecar_is_not_taken_before_its_app() -> None:
    small, large = sidecar("small", resources=wants(memory="1Gi")), app(resources=wants(memory="5Gi"))
    greedy = sidecar("greedy", resources=wants(memory="9Gi"))
    task = app("task", resources=wants(memory="1Gi"))
    spec = pod(large, app("other", resources=wants(memory="4Gi")), inits=(small, greedy, task))
    scores = {each.name: oom_score_adj(spec, each, 10 * GI) for each in (small, greedy, task, large)}
    assert scores == {"small": 600, "greedy": 100, "task": 900, "app": 500}


def test_rule_6_what_a_pod_requests_itself_is_spread_over_its_containers() -> None:
    """KEP-2837: 4 of the pod's 6 Gi are nobody's, 2 for each of the two."""
    one, two = app("one", resources=wants(memory="2Gi")), app("two")
    spec = pod(one, two, resources=wants(memory="6Gi"))
    assert [oom_score_adj(spec, each, 10 * GI) for each in (one, two)] == [600, 800]


def test_rule_6_pause_goes_last() -> None:
    assert PAUSE_OOM_SCORE == -998
