"""What the words of the pod commands mean: selectors, and flags before and behind the words."""

from __future__ import annotations

import pytest

from minirun.cli.pod.flags import PATIENCE, TABLES, CreateOptions, DownOptions, EndOptions, ExecOptions, read
from minirun.cli.pod.jsonpath import steps, text_at
from minirun.cli.pod.ns import Member, Row, marks
from minirun.cli.pod.ns_picture import picture
from minirun.cli.pod.selector import selects
from minirun.cli.pod.wait import CONDITIONS
from minirun.errors import UsageError
from minirun.pod.conditions import conditions
from minirun.pod.manifest.types import Container, PodSpec
from minirun.pod.observed import Observed

LABELS = {"app": "web", "tier": "front", "example.com/team": "a"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier != back", True),
        ("app!=web", False),
        ("other!=x", True),
        ("tier in (front, back)", True),
        ("tier notin (front)", False),
        ("other notin (x)", True),
        ("app,tier", True),
        ("!app", False),
        ("!other,example.com/team=a", True),
        ("other", False),
        ("app=", False),
        ("app in (a,b),tier", False),
    ],
)
def test_selectors(text: str, holds: bool) -> None:
    """Kubernetes' notation: everything between commas has to hold."""
    assert selects(text)(LABELS) is holds


@pytest.mark.parametrize("text", ["a b", "=x", "a in b", "a in (x", "a,,b", "!a=b", "-a", "a=b=c", ","])
def test_selectors_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        selects(text)


def options(command: str, *words: str) -> object:
    """What the quick reader makes of ``pod COMMAND WORDS``; None if it leaves them to click."""
    table = TABLES[command]
    found = read(table, words)
    return table.value(*found) if found and table.complete(found[1]) else None


def test_flags_stand_anywhere() -> None:
    """Before the words, between and behind them."""
    expected = CreateOptions(file="web.yaml", wait=PATIENCE, network=("a", "b"))
    for words in (
        ("--wait", "--network", "a", "--network=b", "web.yaml"),
        ("web.yaml", "--wait", "--network", "a", "--network=b"),
        ("--network=a", "web.yaml", "--wait=true", "--network", "b"),
    ):
        assert options("create", *words) == expected
    assert options("create", "-", "--wait=1m30s") == CreateOptions(file="-", wait=90.0)
    assert options("create", "web.yaml", "--wait=false") == CreateOptions(file="web.yaml")
    assert options("apply", "-f", "web.yaml", "--lenient") == CreateOptions(
        file="web.yaml", filename=True, lenient=True
    )
    assert options("down", "-f", "web.yaml") == DownOptions(file="web.yaml", filename=True)  # and no --force
    assert options("rm", "a", "-f", "b", "-t", "3") == EndOptions(pods=("a", "b"), force=True, time=3.0)
    assert options("rm", "-fa") == EndOptions(force=True, all=True)
    assert options("rm", "--", "-a") == EndOptions(pods=("-a",))


def test_the_words_of_a_program_are_its_own() -> None:
    """What follows the pod's flags belongs to the program, with -- or without."""
    expected = ExecOptions(pod="web", command=("ls", "-l", "-c"), container="app", tty=True, stdin=True)
    for words in (
        ("web", "-c", "app", "-it", "--", "ls", "-l", "-c"),
        ("-it", "web", "-c", "app", "ls", "-l", "-c"),
        ("-itc", "app", "web", "--", "ls", "-l", "-c"),
        ("-it", "-c", "app", "--", "web", "ls", "-l", "-c"),
    ):
        assert options("exec", *words) == expected
    assert options("exec", "web", "--", "--", "x") == ExecOptions(pod="web", command=("--", "x"))


@pytest.mark.parametrize("words", [(), ("a", "b"), ("--help",), ("a", "--nonsense"), ("a", "--network")])
def test_mistakes_are_left_to_click(words: tuple[str, ...]) -> None:
    assert options("create", *words) is None


@pytest.mark.parametrize("words", [("a", "--wait=soon"), ("a", "--wait=")])
def test_values_that_are_none(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        options("create", *words)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (".a.b", "word"),
        ("$.a.b", "word"),
        (".a['b']", "word"),
        (".list[1].x", "2"),
        (".list[7].x", ""),
        (".no.such", ""),
        (".yes", "true"),
        (r".labels.k8s\.io/name", "n"),
        (".a", '{"b":"word"}'),
    ],
)
def test_a_place_in_a_manifest(path: str, said: str) -> None:
    manifest = {"a": {"b": "word"}, "list": [{"x": 1}, {"x": 2}], "yes": True, "labels": {"k8s.io/name": "n"}}
    assert text_at(manifest, steps(path)) == said


@pytest.mark.parametrize("path", ["", "a", ".a[*]", ".a[?(@.b)]", "..a", ".a.", ".a[-1]", '.a}{"\\n"'])
def test_a_path_that_is_not_supported(path: str) -> None:
    """Refused, and not taken for a place where nothing is."""
    with pytest.raises(ValueError, match=r"."):
        steps(path)


def test_the_conditions_are_those_of_a_status() -> None:
    spec = PodSpec(containers=(Container(name="app", image="busybox"),))
    assert {each.type for each in conditions(spec, Observed())} == set(CONDITIONS)


def test_the_same_inode_has_the_same_mark() -> None:
    row = Row(kind="net", inodes=(7, 8, 7, 1, 0), host=1, verdict="")
    assert marks(row) == {7: "a", 8: "b"}


def test_a_picture_escapes_names() -> None:
    """A name is text, whatever it looks like."""
    members = [Member(name="<b>&", pid=1, inodes={})]
    drawn = picture("a&b", members, [Row(kind="net", inodes=(5,), host=1, verdict="")])
    assert "pod a&amp;b" in drawn and "&lt;b&gt;&amp;" in drawn and "<b>" not in drawn
