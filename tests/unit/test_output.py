"""What is printed for people, for pipes and for programs."""

from __future__ import annotations

import io
import json
import sys

import pytest

from minirun.cli import output
from minirun.errors import UsageError

ROWS: list[dict[str, object]] = [
    {"id": "0123456789ab", "names": "brave_anvil", "command": ["sh", "-c"], "exit_code": None},
    {"id": "ba9876543210", "names": "x", "command": [], "exit_code": 0},
]
COLUMNS = [("CONTAINER ID", "id"), ("NAMES", "names"), ("COMMAND", "command")]


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_into_a_pipe_go_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(ROWS, COLUMNS)
    assert capsys.readouterr().out.splitlines() == [
        "CONTAINER ID   NAMES         COMMAND",
        "0123456789ab   brave_anvil   sh, -c",
        "ba9876543210   x",
    ]


def test_no_rows_leave_the_header(capsys: pytest.CaptureFixture[str]) -> None:
    output.show([], COLUMNS, "table")
    assert capsys.readouterr().out == "CONTAINER ID   NAMES   COMMAND\n"


def test_json_has_all_keys(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(ROWS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == ROWS


def test_a_terminal_gets_a_table_and_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    output.show([{"id": "1", "names": "[bold]x[/bold]"}], COLUMNS)
    assert "[bold]x[/bold]" in terminal.getvalue()
    assert "CONTAINER ID" in terminal.getvalue()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{{.ID}} {{.Names}}", "0123456789ab brave_anvil"),
        ("{{ .id }}", "0123456789ab"),
        (r"{{.ExitCode}}\t{{.names}}", "\tbrave_anvil"),
        ("{{.command}}!", "sh, -c!"),
    ],
)
def test_fields(form: str, expected: str) -> None:
    assert output.field(form, ROWS[0]) == expected


def test_a_field_of_a_field() -> None:
    assert output.field("{{.State.Pid}}", {"state": {"pid": 7}}) == "7"


@pytest.mark.parametrize("form", ["{{.Nope}}", "{{.ID", "{{range .}}", "{{.names.x}}", "wide"])
def test_unknown_fields_and_forms_are_refused(form: str) -> None:
    with pytest.raises(UsageError):
        output.show(ROWS, COLUMNS, form)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (1240000, "1.24MB"), (999_600, "1MB"), (5e15, "5000TB")],
)
def test_sizes(number: float, expected: str) -> None:
    assert output.human_size(number) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1000B"),
        (256 << 20, "256MiB"),
        (3 << 29, "1.5GiB"),
        (5 << 50, "5120TiB"),
    ],
)
def test_memory_counts_as_the_flags_that_ask_for_it(number: float, expected: str) -> None:
    assert output.human_memory(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "less than a second"),
        (0.5, "less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (185, "3 minutes"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (90000, "25 hours"),
        (3 * 86400, "3 days"),
        (90 * 86400, "2 months"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert output.human_duration(seconds) == expected


def test_ages() -> None:
    assert output.human_age(1000, now=1185) == "3 minutes ago"


def test_a_cell_is_one_line() -> None:
    assert [output.cell(value) for value in (None, True, {"a": 1}, "a\nb", ("x", "y"))] == [
        "", "yes", "a=1", "a b", "x, y",
    ]  # fmt: skip


def test_a_record_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_record({"kernel": "6.18", "oci_runtime_spec": "1.2.0"})
    assert capsys.readouterr().out == "kernel:           6.18\noci runtime spec: 1.2.0\n"
