"""When a probe is asked and what its answers come to, without asking anybody."""

from __future__ import annotations

import pytest

from minirun.pod.health import LIVENESS_PROBE, READINESS_PROBE, STARTUP_PROBE
from minirun.pod.manifest.types import Container, Probe
from minirun.pod.observed import FAILURE, SUCCESS
from minirun.pod.probes import counting
from minirun.pod.probes.conversation import ProbeResult
from minirun.pod.probes.counting import UNKNOWN, Count
from minirun.values import plain, revive

ANSWERS = {
    "+": ProbeResult(success=True, message="well"),
    "-": ProbeResult(success=False, message="ill"),
    "?": ProbeResult(success=False, message="no process", counts=False),
}
WORDS = {SUCCESS: "+", FAILURE: "-", UNKNOWN: "?"}


def asked(kind: str, probe: Probe, answers: str) -> list[Count]:
    """The counts before the first answer and after each, asked at 0, 10, 20 ..."""
    counts = [counting.first(kind, probe, 0)]
    for number, answer in enumerate(answers):
        at = number * 10.0
        counts.append(counting.recorded(kind, probe, counts[-1], ANSWERS[answer], at, at))
    return counts


@pytest.mark.parametrize(
    ("kind", "probe", "answers", "outcomes"),
    [
        # three failures in a row by default, one success
        (READINESS_PROBE, Probe(), "+", "-+"),
        (READINESS_PROBE, Probe(), "---", "----"),
        (READINESS_PROBE, Probe(), "+--+---", "-++++++-"),
        (READINESS_PROBE, Probe(), "+---+", "-+++-+"),
        (READINESS_PROBE, Probe(successThreshold=2), "+-++", "----+"),
        (READINESS_PROBE, Probe(failureThreshold=1), "+-+-", "-+-+-"),
        # what could not be asked neither counts nor breaks a row
        (READINESS_PROBE, Probe(), "+-?-?-", "-+++++-"),
        (LIVENESS_PROBE, Probe(), "--", "+++"),
        (LIVENESS_PROBE, Probe(), "---", "+++-"),
        (LIVENESS_PROBE, Probe(), "?????", "++++++"),
        (STARTUP_PROBE, Probe(), "--", "???"),
        (STARTUP_PROBE, Probe(), "---", "???-"),
        (STARTUP_PROBE, Probe(failureThreshold=30), "-" * 29 + "+", "?" * 30 + "+"),
        # zero is what the API has for "not said"
        (LIVENESS_PROBE, Probe(failureThreshold=0, successThreshold=0), "--+---", "++++++-"),
    ],
)
def test_outcomes(kind: str, probe: Probe, answers: str, outcomes: str) -> None:
    found = [WORDS[count.probed.outcome] for count in asked(kind, probe, answers)]
    assert "".join(found) == outcomes


@pytest.mark.parametrize(
    ("kind", "answers", "ends"),
    [
        (STARTUP_PROBE, "+", True),
        (STARTUP_PROBE, "---", True),
        (STARTUP_PROBE, "--", False),
        (LIVENESS_PROBE, "+", False),
        (LIVENESS_PROBE, "---", True),
        (READINESS_PROBE, "---", False),
    ],
)
def test_when_it_is_not_asked_any_more(kind: str, answers: str, ends: bool) -> None:
    assert (asked(kind, Probe(), answers)[-1].next is None) is ends


def test_times() -> None:
    probe = Probe(initialDelaySeconds=7, periodSeconds=5)
    count = counting.first(READINESS_PROBE, probe, 100)
    assert count.next == 107
    assert counting.recorded(READINESS_PROBE, probe, count, ANSWERS["+"], 107, 107.5).next == 112
    # an answer that took longer than the period
    assert counting.recorded(READINESS_PROBE, probe, count, ANSWERS["+"], 107, 113).next == 113
    assert counting.recorded(READINESS_PROBE, probe, count, ANSWERS["?"], 107, 108).next == 112


def test_defaults() -> None:
    assert counting.seconds(Probe()) == counting.seconds(Probe(timeoutSeconds=0)) == 1
    assert counting.first(LIVENESS_PROBE, Probe(), 5).next == 5
    assert asked(LIVENESS_PROBE, Probe(), "+")[-1].next == 10


def test_since_is_when_it_became_so() -> None:
    counts = asked(READINESS_PROBE, Probe(failureThreshold=2), "++--+")
    assert [count.probed.since for count in counts] == [0, 0, 0, 0, 30, 40]
    assert [count.probed.message for count in counts] == ["", "well", "well", "well", "ill", "well"]


def test_a_pod_that_is_deleted() -> None:
    """Its containers are not restarted for being ill, and still become unready."""
    for kind, outcome, asks in ((LIVENESS_PROBE, SUCCESS, False), (STARTUP_PROBE, SUCCESS, False)):
        count = counting.let_go(kind, counting.first(kind, Probe(), 0), 9)
        assert (count.probed.outcome, count.next is not None) == (outcome, asks)
    ready = asked(READINESS_PROBE, Probe(), "+")[-1]
    assert counting.let_go(READINESS_PROBE, ready, 9) is ready


def test_the_probes_of_a_container() -> None:
    one, other = Probe(periodSeconds=1), Probe(periodSeconds=2)
    container = Container(name="c", readinessProbe=one, startupProbe=other)
    assert counting.of(container) == {STARTUP_PROBE: other, READINESS_PROBE: one}
    assert counting.of(Container(name="c")) == {}


def test_a_count_can_be_written_down() -> None:
    for count in asked(LIVENESS_PROBE, Probe(), "+---"):
        assert revive(plain(count), Count) == count
