"""Pods for tests: made by the command, looked at from the inside, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Minirun
from tests.pod.living import Pods


@pytest.fixture
def pods(minirun: Minirun) -> Iterator[Pods]:
    """``pods.create(pod("web", app("sleep 1000")))``; what the test leaves is removed after it."""
    made = Pods(minirun)
    yield made
    made.remove_all()
