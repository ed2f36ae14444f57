"""The command line as a whole: what it says, its exit codes, and what it imports."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from minirun import cli
from minirun.cli import flags
from minirun.cli.app import COMMANDS, app
from minirun.cli.settings import Settings
from minirun.errors import ProgramNotFound


def minirun(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "minirun", *argv],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("argv", [[], ["--help"]])
def test_help_lists_every_command(argv: list[str]) -> None:
    done = minirun(*argv)
    assert done.returncode == 0
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert text.split()[0] in done.stdout


@pytest.mark.parametrize("name", list(flags.TABLES))
def test_help_of_a_table_shows_every_flag(name: str) -> None:
    done = minirun(name, "--help")
    assert done.returncode == 0
    for flag in flags.TABLES[name].flags:
        assert flag.name in done.stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in flags.TABLES])
def test_every_command_is_there_and_helps(name: str) -> None:
    assert app.get_command(None, name) is not None
    assert minirun(name, "--help").returncode == 0


@pytest.mark.parametrize(
    ("argv", "what", "remedy"),
    [
        (["run", "--nope"], "run: no such option '--nope'", "`minirun run --help`"),
        (["run", "--memroy", "1g", "x"], "no such option '--memroy'", "--memory"),
        (["run"], "missing argument 'IMAGE'", "`minirun run --help`"),
        (["run", "--name"], "option '--name' requires an argument", "--help"),
        (["run", "-m", "5x", "busybox"], "--memory '5x' is not understood", "512m"),
        (["exec", "x"], "missing argument 'COMMAND...'", "`minirun exec --help`"),
        (["start"], "missing argument", "`minirun start --help`"),
        (["ruhn"], "there is no command 'ruhn'", "run; "),
        (["--nope"], "no such option '--nope'", "--help"),
        (["version", "--format", "y"], "invalid value for '--format'", "`minirun version --help`"),
        (["run", "--network", "cni:", "x"], "--network 'cni:' is not understood", "minirun network ls"),
    ],
)
def test_mistakes_have_one_line_each_and_exit_125(
    argv: list[str], what: str, remedy: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_line(argv) == 125
    out, err = capfd.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("minirun: ")
    assert what in lines[0]
    assert lines[-1].startswith("  try: ")
    assert remedy in lines[-1]
    assert len(lines) <= 3


def test_an_error_owns_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(settings: Settings, options: object) -> int:
        raise ProgramNotFound("cannot run 'nope'", "no such program", "check the spelling")

    monkeypatch.setattr(cli, "main_of", lambda name: fail)
    assert cli.run_line(["run", "busybox", "nope"]) == 127
    assert (
        capfd.readouterr().err
        == "minirun: cannot run 'nope'\n  why: no such program\n  try: check the spelling\n"
    )


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "main_of", lambda name: 1 // 0)
    assert cli.run_line(["--debug", "run", "busybox"]) == 125
    assert "Traceback" in capfd.readouterr().err
    assert cli.run_line(["run", "busybox", "--debug"]) == 125
    err = capfd.readouterr().err
    assert "Traceback" not in err
    assert "this is a bug in minirun" in err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (PermissionError(13, "no"), 125)])
def test_interrupts_and_plain_errors(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings, options: object) -> int:
        raise error

    monkeypatch.setattr(cli, "main_of", lambda name: fail)
    assert cli.run_line(["run", "busybox"]) == code


def test_settings_come_from_flags_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []

    def note(settings: Settings, options: object) -> int:
        seen.append(settings)
        return 0

    monkeypatch.setattr(cli, "main_of", lambda name: note)
    monkeypatch.delenv("MINIRUN_STATE", raising=False)
    monkeypatch.setenv("MINIRUN_ROOT", "/a")
    cli.run_line(["run", "x"])
    cli.run_line(["--root", "/b", "--state=/c", "run", "x"])
    assert seen == [Settings(root="/a", state="/run/minirun"), Settings(root="/b", state="/c")]


def test_a_reader_that_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "minirun", "--help"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "minirun", "version"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 125
    assert b"ENOSPC" in done.stderr


EXPENSIVE = """argparse click contextlib dataclasses hashlib inspect json msgspec pathlib re rich shutil
    socket subprocess tempfile typing"""


def test_reading_a_start_imports_nothing_expensive() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "from minirun import cli\n"
        "cli.main_of = lambda name: lambda settings, options: 0\n"
        "assert cli.run_line('--root /x run --rm -it -m 64m -e A=b busybox sh'.split()) == 0\n"
        f"print(*sorted(({set(EXPENSIVE.split())!r} & set(sys.modules)) - before))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
