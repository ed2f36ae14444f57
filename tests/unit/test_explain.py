"""The plan as it is printed, and the difference between two plans."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from minirun.cli import explain, explain_shown, quick
from minirun.cli.flags import TABLES, ExplainOptions
from minirun.cli.settings import Settings
from minirun.container.options import Options
from minirun.errors import UsageError
from minirun.steps import HOST, Call, Step, syscall


@syscall("mount")
def mount(*args: object) -> None:
    """A call that must not be made."""
    raise AssertionError("explain made a call")


@syscall("prctl", "prctl(2)")
def drop(name: str) -> None:
    """A call that must not be made."""
    raise AssertionError("explain made a call")


CLONE = Step("make the process", Call(mount, "x"), why="a child", side=HOST, chapter="04")
PROC = Step("mount /proc", Call(mount, "proc", "/proc"), why="ps needs it")
DROP = Step("drop", Call(drop, "CAP_A"), Call(drop, "CAP_B"), why="less is more", chapter="07")
DROP_LESS = Step("drop", Call(drop, "CAP_B"), why="less is more", chapter="07")
MASK = Step("hide /proc/kcore", Call(mount, "/dev/null"), why="memory is in it")


def test_the_same_plan_has_no_difference() -> None:
    assert explain.difference([CLONE, PROC], [CLONE, PROC]) == []


def test_added_removed_and_changed() -> None:
    changes = explain.difference([CLONE, PROC, DROP], [CLONE, DROP_LESS, MASK])
    assert [(change.kind, change.number) for change in changes] == [
        ("removed", 2),
        ("changed", 2),
        ("added", 3),
    ]
    assert changes[0].before == PROC
    assert changes[1].after == DROP_LESS
    assert changes[2].after == MASK


def test_a_moved_step_is_removed_and_added() -> None:
    kinds = [change.kind for change in explain.difference([CLONE, PROC], [PROC, CLONE])]
    assert sorted(kinds) == ["added", "removed"]


def test_steps_of_two_sides_are_not_the_same() -> None:
    here = Step("close", Call(mount), why="", side=HOST)
    there = Step("close", Call(mount), why="")
    assert len(explain.difference([here], [there])) == 2


def test_plain_lines() -> None:
    lines = [("", 1, CLONE, ['mount("x")']), ("", 12, PROC, ['mount("proc", "/proc")'])]
    assert list(explain_shown.plain_lines(lines)) == [
        "  1  host  make the process",
        '           mount("x")',
        "           # a child  [mount(2), chapter 04]",
        " 12  init  mount /proc",
        '           mount("proc", "/proc")',
        "           # ps needs it  [mount(2)]",
    ]


def test_a_change_shows_only_the_calls_that_differ() -> None:
    (change,) = explain.difference([DROP], [DROP_LESS])
    (line,) = explain.change_lines(change)
    assert line[0] == "~"
    assert line[3] == ['- prctl("CAP_A")']


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_fits_and_says_everything(width: int) -> None:
    output = io.StringIO()
    console = Console(file=output, width=width, force_terminal=True, color_system=None)
    console.print(explain_shown.table([("", 1, CLONE, ['mount("x")']), ("+", 2, DROP, ["a" * 300])], width))
    shown = output.getvalue()
    assert max(len(line) for line in shown.splitlines()) <= width
    words = shown.split()
    for word in ("host", "make", "process", 'mount("x")', "child", "chapter"):
        assert any(word in found for found in words)
    assert shown.count("a" * 5) >= 10
    assert "…" not in shown


def test_json_names_call_arguments_and_page() -> None:
    assert explain.as_json(3, CLONE) == {
        "number": 3,
        "side": "host",
        "step": "make the process",
        "calls": [{"name": "mount", "call": 'mount("x")', "manual": "mount(2)"}],
        "why": "a child",
        "chapter": "04",
    }


def asked(*argv: str) -> ExplainOptions:
    found = quick.read(TABLES["explain"], argv)
    assert found is not None
    value: ExplainOptions = TABLES["explain"].value(*found)
    return value


def test_one_diff_adds_to_the_command_line() -> None:
    before, after = explain.variants(
        asked("-m", "64m", "-e", "A=1", "--diff", "--privileged -e 'B= 2'", "img", "sh")
    )
    assert (before.privileged, after.privileged) == (False, True)
    assert before.memory == after.memory == 64 << 20
    assert after.env == ("A=1", "B= 2")
    assert after.command == ("sh",)


def test_two_diffs_compare_each_other() -> None:
    before, after = explain.variants(asked("--diff", "-m 64m", "--diff=--cpus 1 --rm=false", "--rm", "img"))
    assert (before.memory, before.cpus, before.rm) == (64 << 20, None, True)
    assert (after.memory, after.cpus, after.rm) == (None, 1.0, False)


@pytest.mark.parametrize("flags", ["--nope", "busybox", "-m", "'", "-m 5x"])
def test_bad_flags_in_a_diff(flags: str) -> None:
    with pytest.raises(UsageError):
        explain.variants(asked("--diff", flags, "img"))


def test_three_diffs_are_too_many() -> None:
    with pytest.raises(UsageError, match="twice"):
        explain.variants(asked("--diff", "", "--diff", "", "--diff", "", "img"))


def plans(settings: Settings, options: Options) -> list[Step]:
    """A plan that --privileged shortens."""
    return [CLONE, PROC] if options.privileged else [CLONE, PROC, MASK]


def test_main_prints_the_plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(explain, "_plan", plans)
    assert explain.main(Settings(), asked("img")) == 0
    out = capsys.readouterr().out
    assert "  3  init  hide /proc/kcore" in out
    assert "3 steps, 3 calls" in out


def test_main_prints_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(explain, "_plan", plans)
    explain.main(Settings(), asked("--json", "img"))
    assert [step["number"] for step in json.loads(capsys.readouterr().out)] == [1, 2, 3]
    explain.main(Settings(), asked("--json", "--diff", "--privileged", "img"))
    (change,) = json.loads(capsys.readouterr().out)
    assert (change["change"], change["after"], change["before"]["step"]) == (
        "removed",
        None,
        "hide /proc/kcore",
    )


def test_main_prints_a_difference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(explain, "_plan", plans)
    explain.main(Settings(), asked("--diff", "--privileged", "img"))
    assert capsys.readouterr().out.splitlines()[0] == "-   3  init  hide /proc/kcore"
    explain.main(Settings(), asked("--diff", "--rm", "img"))
    assert "No difference" in capsys.readouterr().out


def test_a_difference_is_short() -> None:
    many = [f'mknodat("/dev/tty{number}")' for number in range(90)]
    lines = explain._differing(["a", "b"], ["b", *many])
    assert lines[0] == "- a"
    assert lines[1] == '+ mknodat("/dev/tty0")'
    assert lines[-1] == "+ ... and 84 more calls"
    assert len(lines) < 10


def test_what_two_long_calls_have_in_common_is_left_out() -> None:
    same = 'mount("overlay", "/rootfs", "overlay", 0, "lowerdir=' + "x" * 300
    before, after = explain._differing([same + '"'], [same + ',userxattr"'])
    assert len(before) < len(after) < 120
    assert before.startswith('- mount("overlay"')
    assert after.endswith('x,userxattr"')
