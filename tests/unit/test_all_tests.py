"""`make test`'s runner, on directories of tests that are made up here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import __main__ as runner

#: Fails unless it has been run before.
DISTURBED = """
import pathlib
def test_disturbed(): {place}; assert seen
"""
SEEN = "path = pathlib.Path({path!r}); seen = path.exists(); path.touch()"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the directories of tests are: two that pass."""
    monkeypatch.setattr(runner, "HERE", tmp_path / "tests")
    for name in ("one", "two"):
        written(tmp_path, name, "def test_passes(): pass\n")
    return tmp_path


def written(place: Path, name: str, text: str) -> None:
    """A directory ``name`` with a file of tests."""
    (place / "tests" / name).mkdir(parents=True, exist_ok=True)
    (place / "tests" / name / f"test_{name}.py").write_text(text)


def test_all_pass(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written(place, "none", "")
    assert runner.main(["--jobs", "2"]) == 0
    last = sorted(line.split(" after ")[0] for line in capfd.readouterr().out.splitlines()[-3:])
    assert last == [f"tests/{name}: exit code {code}" for name, code in (("none", 5), ("one", 0), ("two", 0))]


def test_what_fails_fails(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written(place, "three", "def test_fails(): assert 0\ndef test_passes(): pass\n")
    assert runner.main([]) == 1
    said = capfd.readouterr().out
    assert "failed beside others: tests/three/test_three.py::test_fails\n" in said
    assert "those alone: tests/three: exit code 1" in said


def test_who_was_disturbed_is_named(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen = SEEN.format(path=str(place / "seen"))
    written(place, "three", DISTURBED.format(place=seen))
    assert runner.main([]) == 0
    said = capfd.readouterr().out
    assert "failed beside others: tests/three/test_three.py::test_disturbed\n" in said
    assert "those alone: tests/three: exit code 0" in said


def test_many_that_fail_are_no_accident(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen = SEEN.format(path=str(place / "seen"))
    many = "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_fails(n): assert 0\n"
    written(place, "three", many + DISTURBED.format(place=seen))
    assert runner.main([]) == 1
    assert "those alone" not in capfd.readouterr().out


def test_what_is_not_python_fails(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written(place, "three", "def test_fails(:\n")
    assert runner.main([]) != 0
