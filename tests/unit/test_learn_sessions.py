"""A session of the tutorial: read, compared with what happened, and told apart."""

from __future__ import annotations

import pytest

from minirun.errors import InvalidInput
from minirun.learn import matching, sessions
from minirun.learn.matching import match

TEXT = """\
# needs: root, kvm
# recorded
# A comment.
$ cat <<END
> one
>
>   two
> END
one

  two

$ false
[exit 1]
$ true
"""


def test_a_session_is_read_as_it_stands() -> None:
    """Commands of several lines, empty lines within an output, exit codes, the header."""
    session = sessions.parse(TEXT, "sample")
    assert (session.needs, session.recorded) == (("root", "kvm"), True)
    first, second, third = session.exchanges
    assert first.command == "cat <<END\none\n\n  two\nEND"
    assert first.output == ("one", "", "  two")
    assert (second.output, second.code) == ((), 1)
    assert (third.output, third.code) == ((), 0)


def test_a_session_can_be_written_and_read_again() -> None:
    """What `python -m minirun.learn.sessions` prints can be pasted."""
    session = sessions.parse(TEXT, "sample")
    written = sessions.written(session.exchanges)
    assert sessions.parse(written, "sample").exchanges == session.exchanges


def test_a_reader_sees_the_example_in_a_place_that_varies() -> None:
    """The marks are for the comparison."""
    session = sessions.parse("$ ps\n‹pid=12› ‹sh› at ‹9:30›\n[exit 2]\n", "sample")
    assert sessions.for_reader(session) == "$ ps\n12 sh at 9:30\n"


@pytest.mark.parametrize("text", ["", "# needs: root\n", "echo\n$ echo\n"])
def test_what_is_no_session_is_refused(text: str) -> None:
    """No command, or a line where only the header may be."""
    with pytest.raises(InvalidInput):
        sessions.parse(text, "sample")


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ([], []),
        (["a"], ["a"]),
        (["a ‹1› b"], ["a 22 b"]),
        (["‹x=1› ‹x=1›"], ["7 7"]),
        (["‹x=1›", "is ‹x=1›"], ["7", "is 7"]),
        (["⋮"], []),
        (["⋮"], ["a", "b"]),
        (["a", "⋮", "z"], ["a", "z"]),
        (["a", "⋮", "z"], ["a", "z", "y", "z"]),
        (["⋮", "‹n=1›", "⋮", "‹n=1›!"], ["a", "b", "c", "b!"]),
        (["(.*) [a-z]+ $"], ["(.*) [a-z]+ $"]),
    ],
)
def test_what_matches(expected: list[str], got: list[str]) -> None:
    """Places that vary, names, gaps; all else is literal."""
    assert match(expected, got, {}) is not None


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (["a"], []),
        ([], ["a"]),
        (["a"], ["a", "b"]),
        (["a ‹1› b"], ["a  b"]),
        (["‹x=1› ‹x=1›"], ["7 8"]),
        (["‹x=1›", "is ‹x=1›"], ["7", "is 8"]),
        (["a", "⋮", "z"], ["a", "b"]),
        ([".*"], ["a"]),
    ],
)
def test_what_does_not(expected: list[str], got: list[str]) -> None:
    """A place must not be empty, a name stands for one text, lines count."""
    assert match(expected, got, {}) is None


def test_names_hold_from_one_command_to_the_next() -> None:
    """A namespace that was seen on the host is recognised inside."""
    names = match(["uts:[‹host=1›]"], ["uts:[4026]"], {})
    assert names == {"host": "4026"}
    assert match(["uts:[‹host=1›]"], ["uts:[4026]"], names) == names
    assert match(["uts:[‹host=1›]"], ["uts:[5000]"], names) is None


def test_a_difference_shows_where() -> None:
    """Common lines, missing ones, unexpected ones; what a name stood for."""
    expected = ["head", "‹pid=1› sh", "gone", "⋮", "tail"]
    got = ["head", "77 sh", "x", "y", "tail", "more"]
    assert matching.difference(expected, got, {"pid": "5"}) == [
        "  head",
        "- ‹pid=1› sh",
        "- gone",
        "  77 sh",
        "  x",
        "  y",
        "  tail",
        "+ more",
        "  (‹pid› was '5' before)",
    ]
