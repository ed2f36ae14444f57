"""What the tests of the site share: the site, built once, and a browser."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.errors import MinirunError
from minirun.learn.site import scripts
from tests.conftest import REPOSITORY
from tests.site.browser import Browser


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the site, as `make docs` builds it."""
    if not importlib.util.find_spec("material"):
        pytest.skip("this machine lacks: mkdocs-material")
    try:
        for script in (scripts.MERMAID, scripts.WORKER):
            scripts.fetch(script, REPOSITORY / "build" / "scripts")
    except MinirunError as error:
        pytest.skip(f"this machine lacks: {script.package}, and cannot fetch it: {error}")
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ".mkdocs.yml", "--site-dir", place],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Chromium, which ends with the test."""
    with Browser(tmp_path / "chromium") as one:
        yield one
