"""Two readers of one table: whatever both understand, they understand alike."""

from __future__ import annotations

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minirun.cli import quick
from minirun.cli.app import TableCommand
from minirun.cli.flags import TABLES
from minirun.cli.table import Flag, Table
from minirun.errors import UsageError

#: A few good and bad values for every kind of flag, by its metavar.
WORDS = [
    "",
    "-",
    "a",
    "64m",
    "1",
    "0.5",
    "TERM",
    "A=b",
    "A",
    "host",
    "container:x",
    "-it",
    "--",
    "=",
    "a=b=c",
    "private",
]


def by_click(name: str, argv: list[str]) -> quick.Given | None:
    """What click alone makes of ``argv``; None for its errors and its help."""
    command = TableCommand(name, TABLES[name])
    try:
        context = command.make_context(name, list(argv))
    except (click.UsageError, click.exceptions.Exit):
        return None
    return command.given(context)


def flag_words(flag: Flag) -> st.SearchStrategy[list[str]]:
    """Ways to write one flag on a command line."""
    names = st.sampled_from(flag.names)
    if flag.kind.switch:
        return names.map(lambda name: [name])
    values = st.sampled_from(WORDS) | st.text(max_size=4)
    apart = st.tuples(names, values).map(list)
    joined = st.tuples(names, values).map(_joined)
    return apart | joined


def _joined(parts: tuple[str, str]) -> list[str]:
    name, value = parts
    if name.startswith("--"):
        return [f"{name}={value}"]
    return [name + value] if value and not value.startswith("=") else [name, value]


def command_lines(table: Table) -> st.SearchStrategy[list[str]]:
    """Flags in any order and number, then an image and a command, mostly."""
    known = st.sampled_from(table.flags).flatmap(flag_words)
    odd = st.sampled_from([["-it"], ["-dit"], ["--nonsense"], ["-Z"], ["--help"], ["-im64m"]])
    flags = st.lists(known | odd, max_size=6).map(lambda parts: [word for part in parts for word in part])
    words = st.lists(st.sampled_from(["busybox", "sh", "-c", "--rm", "--", "-", ""]), max_size=4)
    return st.tuples(flags, words).map(lambda both: [*both[0], *both[1]])


@pytest.mark.parametrize("name", ["run", "create", "exec", "explain"])
def test_both_readers_agree(name: str) -> None:
    table = TABLES[name]

    @settings(max_examples=300, deadline=None)
    @given(argv=command_lines(table))
    def agree(argv: list[str]) -> None:
        quickly = quick.read(table, argv)
        if quickly is not None and not table.complete(quickly[1]):
            quickly = None
        assert by_click(name, argv) == quickly

    agree()


def test_start_takes_flags_after_its_words_by_click_only() -> None:
    assert quick.read(TABLES["start"], ["one", "-a"]) == ({}, ["one", "-a"])
    assert by_click("start", ["one", "-a"]) == ({"--attach": ["true"]}, ["one"])


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--name", "x", "img"], ({"--name": ["x"]}, ["img"])),
        (["--name=x", "img"], ({"--name": ["x"]}, ["img"])),
        (["--name=", "img"], ({"--name": [""]}, ["img"])),
        (["-m64m", "img"], ({"--memory": ["64m"]}, ["img"])),
        (["-m", "64m", "img"], ({"--memory": ["64m"]}, ["img"])),
        (["-itm64m", "img"], ({"--interactive": ["true"], "--tty": ["true"], "--memory": ["64m"]}, ["img"])),
        (["-e", "A=1", "-eB=2", "img"], ({"--env": ["A=1", "B=2"]}, ["img"])),
        (["--net=host", "img"], ({"--network": ["host"]}, ["img"])),
        (["--rm=false", "img"], ({"--rm": ["false"]}, ["img"])),
        (["--", "-img"], ({}, ["-img"])),
        (["img", "--rm", "--", "-x"], ({}, ["img", "--rm", "--", "-x"])),
        (["--name", "--rm", "img"], ({"--name": ["--rm"]}, ["img"])),
        (["-", "x"], ({}, ["-", "x"])),
    ],
)
def test_forms(argv: list[str], expected: object) -> None:
    assert quick.read(TABLES["run"], argv) == expected


@pytest.mark.parametrize("argv", [["--help"], ["--nonsense"], ["-Z"], ["-iZ"], ["--name"], ["-m"], ["-im"]])
def test_leaves_to_click_what_it_does_not_know(argv: list[str]) -> None:
    assert quick.read(TABLES["run"], argv) is None


def test_a_switch_can_be_denied() -> None:
    table = TABLES["run"]
    options = table.value(*_read(table, ["--rm", "--rm=false", "--sig-proxy=false", "img"]))
    assert (options.rm, options.sig_proxy) == (False, False)


def test_a_bad_value_names_flag_value_and_remedy() -> None:
    table = TABLES["run"]
    with pytest.raises(UsageError) as caught:
        table.value(*_read(table, ["-m", "5x", "img"]))
    assert "--memory '5x'" in caught.value.what
    assert "512m" in caught.value.remedy


def _read(table: Table, argv: list[str]) -> quick.Given:
    found = quick.read(table, argv)
    assert found is not None
    return found
