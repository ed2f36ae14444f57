"""Requests and limits -> shares, quota, memory (rules 1, 2, 3, 7, 9 of Kubernetes')."""

from __future__ import annotations

import pytest

from minirun.isolation.cgroups.v2 import cpu_weight
from minirun.pod.manifest.types import PodSpec
from minirun.pod.resources import (
    Amounts,
    bounded_resources,
    container_resources,
    pod_limits,
    pod_requests,
    quota,
    requests,
    shares,
)
from minirun.spec import Cpu, Memory
from tests.unit.pod_toys import app, pod, sidecar, wants

MI = 2**20


@pytest.mark.parametrize(
    ("milli_cpus", "expected"), [(0, 2), (1, 2), (2, 2), (10, 10), (100, 102), (1000, 1024), (2500, 2560)]
)
def test_rule_1_shares(milli_cpus: int, expected: int) -> None:
    assert shares(milli_cpus) == expected


@pytest.mark.parametrize(
    ("milli_cpus", "expected"), [(1, 1000), (10, 1000), (100, 10_000), (500, 50_000), (2500, 250_000)]
)
def test_rule_1_quota(milli_cpus: int, expected: int) -> None:
    assert quota(milli_cpus) == expected


@pytest.mark.parametrize(
    ("milli_cpus", "weight"),
    [(0, 1), (1, 1), (100, 17), (500, 59), (1000, 100), (2000, 174), (10_000, 639), (256_000, 10000)],
)
def test_rule_2_weight(milli_cpus: int, weight: int) -> None:
    """What cgroup v2 is told of our shares: isolation/cgroups has the curve."""
    assert cpu_weight(shares(milli_cpus)) == weight


def test_rule_1_a_limit_alone_is_requested_too() -> None:
    assert requests(wants(cpu_limit="500m", memory_limit="64Mi")) == Amounts(cpu=500, memory=64 * MI)
    assert requests(wants(cpu="100m", cpu_limit="500m")) == Amounts(cpu=100)
    assert requests(wants(cpu="0", cpu_limit="500m")) == Amounts()
    assert requests(None) == Amounts()


def test_a_containers_cgroup() -> None:
    made = container_resources(app(resources=wants("250m", "64Mi", "1", "128Mi")), oom_group=False)
    assert made.cpu == Cpu(shares=256, quota=100_000, period=100_000)
    assert made.memory == Memory(limit=128 * MI)
    assert made.unified == {}


def test_nothing_said_is_the_least_weight_and_no_limit() -> None:
    made = container_resources(app(), oom_group=False)
    assert made.cpu == Cpu(shares=2)
    assert made.memory == Memory()


def test_rule_7_the_oom_killer_takes_all_of_a_container_on_v2() -> None:
    assert container_resources(app(), oom_group=True).unified == {"memory.oom.group": "1"}


@pytest.mark.parametrize(
    ("spec", "milli_cpus"),
    [
        (pod(app("a", resources=wants("100m")), app("b", resources=wants("200m"))), 300),
        # an init container is gone before the apps come: the larger counts
        (pod(app(resources=wants("100m")), inits=(app("i", resources=wants("500m")),)), 500),
        (pod(app(resources=wants("100m")), inits=(app("i", resources=wants("50m")),)), 100),
        # a sidecar stays: it is there with the apps ...
        (pod(app(resources=wants("100m")), inits=(sidecar(resources=wants("50m")),)), 150),
        # ... and with the init containers behind it, not with those before it
        (
            pod(
                app(resources=wants("100m")),
                inits=(
                    app("first", resources=wants("180m")),
                    sidecar(resources=wants("50m")),
                    app("second", resources=wants("170m")),
                ),
            ),
            220,
        ),
        (
            pod(
                app(resources=wants("10m")),
                inits=(
                    app("first", resources=wants("180m")),
                    sidecar(resources=wants("50m")),
                    app("second", resources=wants("120m")),
                ),
            ),
            180,
        ),
        (pod(app(resources=wants("100m")), overhead={"cpu": "30m"}), 130),
    ],
)
def test_rule_9_what_a_pod_requests(spec: PodSpec, milli_cpus: int) -> None:
    assert pod_requests(spec).cpu == milli_cpus


def test_overhead_widens_limits_that_there_are() -> None:
    spec = pod(app(resources=wants(cpu_limit="1")), overhead={"cpu": "100m", "memory": "10Mi"})
    assert pod_limits(spec) == Amounts(cpu=1100, memory=0)
    assert pod_requests(spec) == Amounts(cpu=1100, memory=10 * MI)


FULL, NO_CPU, NO_MEMORY = (
    wants("500m", "64Mi", "1", "128Mi"),
    wants("500m", "64Mi", "", "128Mi"),
    wants("500m", "64Mi", "1", ""),
)


@pytest.mark.parametrize(
    ("spec", "cpu", "memory"),
    [
        (
            pod(app("a", resources=FULL), app("b", resources=FULL)),
            Cpu(shares=1024, quota=200_000, period=100_000),
            256 * MI,
        ),
        (pod(app("a", resources=FULL), app("b", resources=NO_CPU)), Cpu(shares=1024), 256 * MI),
        (
            pod(app("a", resources=FULL), app("b", resources=NO_MEMORY)),
            Cpu(shares=1024, quota=200_000, period=100_000),
            None,
        ),
        (pod(app("a", resources=FULL), inits=(app("i"),)), Cpu(shares=512), None),
    ],
)
def test_rule_3_a_pod_is_limited_if_each_of_its_containers_is(
    spec: PodSpec, cpu: Cpu, memory: int | None
) -> None:
    made = bounded_resources(spec)
    assert made.cpu == cpu
    assert made.memory.limit == memory


def test_a_pods_own_resources_stand_above_its_containers() -> None:
    """KEP-2837."""
    spec = pod(app(resources=wants("100m")), resources=wants("1", "", "2", "1Gi"))
    assert pod_requests(spec) == Amounts(cpu=1000, memory=1024 * MI)
    assert pod_limits(spec) == Amounts(cpu=2000, memory=1024 * MI)
    assert bounded_resources(spec).memory.limit == 1024 * MI
    # a limit alone is a request only where the containers request nothing
    limited = pod(app(resources=wants("100m")), resources=wants(cpu_limit="2"))
    assert pod_requests(limited).cpu == 100
