"""Who is started again (rules 9, 10, 11 of Kubernetes', and KEP-5307's rules on exit statuses)."""

from __future__ import annotations

import pytest

from minirun.pod.manifest.types import ContainerRestartRule, ContainerRestartRuleOnExitCodes
from minirun.pod.observed import Ended
from minirun.pod.restarts import is_task, restarts
from tests.unit.pod_toys import app, pod, sidecar


def ended(code: int, stopped: str = "") -> Ended:
    return Ended(exitCode=code, finishedAt=1.0, stopped=stopped)


def rule(operator: str, *codes: int, action: str = "Restart") -> ContainerRestartRule:
    return ContainerRestartRule(
        action=action, exitCodes=ContainerRestartRuleOnExitCodes(operator=operator, values=codes)
    )


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        (None, 0, True),
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_an_app_by_the_pods_policy(policy: str | None, code: int, again: bool) -> None:
    container = app()
    assert restarts(pod(container, restartPolicy=policy), container, ended(code)) is again


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, False),  # it is done
        ("Always", 1, True),  # as OnFailure
        ("OnFailure", 1, True),
        ("Never", 1, False),
    ],
)
def test_rule_9_an_init_container(policy: str, code: int, again: bool) -> None:
    container = app("init")
    spec = pod(inits=(container,), restartPolicy=policy)
    assert restarts(spec, container, ended(code)) is again
    assert is_task(spec, container)


def test_rule_9_what_an_init_container_has_completed_it_has_completed() -> None:
    container = app("init", restartPolicy="OnFailure", restartPolicyRules=(rule("NotIn", 42),))
    spec = pod(inits=(container,))
    assert restarts(spec, container, ended(1))
    assert not restarts(spec, container, ended(0))
    assert not restarts(spec, container, ended(0, "SandboxDied"))


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_rule_10_a_sidecar_always(policy: str, code: int) -> None:
    container = sidecar()
    spec = pod(inits=(container,), restartPolicy=policy)
    assert restarts(spec, container, ended(code))
    assert not is_task(spec, container)


@pytest.mark.parametrize(
    ("policy", "rules", "code", "again"),
    [
        ("Never", (rule("In", 42, 43),), 42, True),
        ("Never", (rule("In", 42, 43),), 44, False),
        ("Never", (rule("NotIn", 42),), 7, True),
        ("Never", (rule("NotIn", 42),), 42, False),
        ("Never", (rule("In", 1), rule("In", 2)), 2, True),
        ("OnFailure", (rule("In", 42),), 1, True),  # no rule fits: the container's own policy
        ("OnFailure", (rule("In", 42),), 0, False),
        ("Always", (), 0, True),
    ],
)
def test_a_containers_own_policy_and_rules(
    policy: str, rules: tuple[ContainerRestartRule, ...], code: int, again: bool
) -> None:
    container = app(restartPolicy=policy, restartPolicyRules=rules)
    for of_the_pod in ("Always", "Never"):
        assert restarts(pod(container, restartPolicy=of_the_pod), container, ended(code)) is again


@pytest.mark.parametrize("why", ["LivenessProbe", "StartupProbe", "PostStartHook", "SandboxDied"])
def test_who_was_stopped_for_a_fresh_start_gets_it_even_after_exit_0(why: str) -> None:
    container = app()
    assert restarts(pod(container, restartPolicy="OnFailure"), container, ended(0, why))
    assert not restarts(pod(container, restartPolicy="Never"), container, ended(0, why))
    assert not restarts(pod(container, restartPolicy="OnFailure"), container, ended(0, "Deleted"))
