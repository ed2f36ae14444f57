"""CrashLoopBackOff (rule 11 of Kubernetes' that pods follow)."""

from __future__ import annotations

import pytest

from minirun.pod.backoff import delay, next_start, next_streak, next_try


def test_the_first_restart_is_immediate_then_10_20_40_up_to_300_seconds() -> None:
    assert [delay(streak) for streak in range(9)] == [0, 10, 20, 40, 80, 160, 300, 300, 300]
    assert delay(100_000) == 300


def test_a_crash_loop() -> None:
    """A program that ends a second after each start, restarted as soon as it may be."""
    start, streak, gaps = 1000.0, 0, []
    for _ in range(8):
        ended = start + 1
        again = next_start(streak, start, ended, now=ended)
        streak = next_streak(streak, start, ended)
        gaps.append(again - ended)
        start = again
    assert gaps == [0, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(
    ("ran", "gap", "streak"),
    [
        (1.0, 80, 5),
        (599.0, 80, 5),
        (600.0, 80, 5),
        (600.5, 0, 1),  # well for ten minutes: it begins anew
        (86400.0, 0, 1),
    ],
)
def test_ten_minutes_of_running_reset_it(ran: float, gap: float, streak: int) -> None:
    ended = 1000 + ran
    assert next_start(4, 1000, ended, now=ended) - ended == gap
    assert next_streak(4, 1000, ended) == streak


def test_what_is_overdue_may_start_now() -> None:
    assert next_start(1, 0, 1, now=500) == 500


def test_a_clock_that_was_set_back_does_not_hold_it_for_hours() -> None:
    assert next_start(3, 9000, 9001, now=100) == 100
    assert next_try(3, 9000, now=100) == 100


@pytest.mark.parametrize(("tries", "wait"), [(1, 10), (2, 20), (6, 300), (60, 300)])
def test_what_could_not_be_made_is_tried_again(tries: int, wait: float) -> None:
    assert next_try(tries, 50, now=50) == 50 + wait
