"""tests/console.py itself: what counts as the same, and what does not."""

from __future__ import annotations

from tests.console import LOOK, blocks, is_like

PS = [
    "NAME   READY   STATUS    RESTARTS     AGE   IP",
    "web    2/2     Running   1 (0s ago)   9s    10.0.0.4",
]


def test_commands_and_what_they_print() -> None:
    """In the order of the text; other blocks are no commands."""
    text = "a\n```console\n$ one\nx\n\n$ two\n```\nb\n```yaml\n$ no\n```\n```console\n$ three\n# y\n```\n"
    assert blocks(text) == [("one", ["x", ""]), ("two", []), ("three", ["# y"])]


def test_what_differs_from_time_to_time_does_not_count() -> None:
    """Addresses, ages, columns."""
    now = "NAME READY STATUS RESTARTS AGE IP\nweb 2/2 Running 1 (12s ago)  2m 10.90.1.17\n"
    assert is_like(now, PS)
    assert is_like("pid 7  4026532262 a\n", ["pid 12345 4026531999 a"])
    assert not is_like("pid 7  4026532262 b\n", ["pid 12345 4026531999 a"])


def test_all_the_rest_does() -> None:
    """A number more, a line more, a line less, a stranger's address for one's own."""
    now = "\n".join(PS) + "\n"
    assert is_like(now, PS)
    assert not is_like(now.replace("2/2", "1/2"), PS)
    assert not is_like(now.replace("1 (", "2 ("), PS)
    assert not is_like(now + "more\n", PS)
    assert not is_like(PS[0] + "\n", PS)
    assert not is_like("", PS) and is_like("", [])
    assert not is_like("at 10.0.0.1", ["at 127.0.0.1"])


def test_any_lines() -> None:
    """None, one, several; and what stands around them stands there."""
    for between in ("", "b\n", "b\nc\n"):
        assert is_like(f"a\n{between}d\n", ["a", "...", "d"])
    assert not is_like("a\nb\n", ["a", "...", "d"])


def test_what_may_be_given_again() -> None:
    """What only looks."""
    for command in ("minirun pod ps -a", "minirun pod exec web -c app -- ls /x"):
        assert LOOK.match(command)
    for command in ("minirun pod create x", "minirun pod exec web -- sh -c 'echo >>/log'", "sed x | minirun"):
        assert not LOOK.match(command)
