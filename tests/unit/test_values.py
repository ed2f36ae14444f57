"""Frozen records: made by keyword, written as JSON, and read again, checked or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minirun.errors import InvalidInput
from minirun.spec import Memory, Mount, Process, Resources, Spec, TimeOffset
from minirun.values import Value, convert, decode, plain, replace, revive


class Point(Value):
    """A test's own."""

    x: int
    y: int = 0
    tags: tuple[str, ...] = ()


class Line(Value):
    """Values in a Value, in each way that a Spec has them."""

    start: Point
    end: Point | None = None
    more: tuple[Point, ...] = ()
    named: dict[str, Point] = {}


class Place(Point):
    """One field more."""

    z: int = 3


LINE = Line(start=Point(x=1), end=Point(x=2, y=3), more=(Point(x=4, tags=("a",)),), named={"b": Point(x=5)})


def test_fields_defaults_and_order() -> None:
    assert Place(x=1) == Place(x=1, y=0, tags=(), z=3)
    assert repr(Place(x=1)) == "Place(x=1, y=0, tags=(), z=3)"
    assert Point(x=1) != Place(x=1)
    assert hash(Point(x=1)) == hash(Point(x=1, y=0))
    assert replace(Point(x=1, y=2), x=5) == Point(x=5, y=2)


@pytest.mark.parametrize(("given", "message"), [({}, "needs x="), ({"x": 1, "w": 2}, "no field w")])
def test_wrong_fields(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Point(**given)


def test_frozen() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        Point(x=1).x = 2
    with pytest.raises(AttributeError):
        Point(x=1).y = 2


def test_plain_leaves_defaults_out_and_revive_comes_back() -> None:
    raw = plain(LINE)
    assert raw == {
        "start": {"x": 1},
        "end": {"x": 2, "y": 3},
        "more": [{"x": 4, "tags": ["a"]}],
        "named": {"b": {"x": 5}},
    }
    assert revive(json.loads(json.dumps(raw)), Line) == LINE
    assert decode(json.dumps(raw), Line, "it") == LINE
    assert convert(raw, Line, "it") == LINE


def test_a_spec_survives_the_way_to_disk_and_back() -> None:
    spec = Spec(process=Process(args=("sh",)), mounts=(Mount(destination="/proc", type="proc"),))
    linux = replace(
        spec.linux,
        resources=Resources(memory=Memory(limit=1)),
        timeOffsets={"boottime": TimeOffset(secs=1, nanosecs=2)},
        sysctl={"a": "b"},
    )
    spec = replace(spec, linux=linux)
    assert revive(json.loads(json.dumps(plain(spec))), Spec) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"start": {"x": "1"}}', "start.x"),
        ('{"start": {"x": 1}, "more": [{"x": 1}, {"y": 2}]}', r"more\[1\]"),
        ("{}", "start"),
        ("{,", "JSON"),
        ("[]", "object"),
    ],
)
def test_what_comes_from_outside_is_checked_and_the_place_is_named(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        decode(text, Line, "it")


def test_unknown_fields_are_passed_over() -> None:
    """As OCI demands of a runtime (config.md, "Extensibility")."""
    assert decode('{"x": 1, "w": 2}', Point, "it") == Point(x=1)
