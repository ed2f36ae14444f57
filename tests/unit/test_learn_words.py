"""``minirun learn``: what is said on its command line, and cannot be done, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from minirun import cli

DATA = Path(__file__).parents[1] / "learn" / "data"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "90", "--answer", "7"], "no choice 7"),
        (["check", "hostname", "--chapter", "90", "--all"], "--all"),
    ],
)
def test_what_contradicts_is_refused(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An answer that the question does not have; one exercise, and all of them."""
    monkeypatch.setenv("MINIRUN_TUTORIALS", str(DATA))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert cli.run_line(["learn", *words]) == 125
    assert said in capsys.readouterr().err
