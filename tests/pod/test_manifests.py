"""Every manifest of manifests/ becomes what its first line says, or is refused for the reason given there.

How that is said: expectations.py. That the manifests cover every field is
tests/unit/test_pod_manifest_support.py's to see. Most of them check themselves: what
they run ends with 0 only if the field works. They live side by side, for most of a
pod's life is waiting: a few at a time, and a test asks how one of them went.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import leaks
from tests.conftest import Minirun
from tests.needs import needs
from tests.pod.expectations import (
    CLAIM,
    MANIFESTS,
    ON_THE_HOST,
    asked_for,
    created_names,
    place_on_the_host,
    said_after,
    wait_until_as_expected,
)
from tests.pod.living import Pods, traces

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

AT_ONCE = 4


@pytest.fixture(autouse=True)
def no_leaks() -> None:
    """Stands for conftest's: while one test looks at its pod others live. ``lives`` looks, after the last."""


@pytest.fixture(scope="module")
def lives(
    request: pytest.FixtureRequest, loaded_minirun: Minirun, test_dir: Path
) -> Iterator[dict[Path, Future[None]]]:
    """What becomes of each manifest that a test will ask for."""
    wanted = asked_for(request)
    look = leaks.Look((str(test_dir),))
    with place_on_the_host(test_dir / "on-the-host") as place, ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {path: pool.submit(live, loaded_minirun, path, place) for path in wanted}
        yield futures
        for future in futures.values():
            future.cancel()
    loaded_minirun("volume", "rm", CLAIM)
    pods = Pods(loaded_minirun)
    ours = {path for path in traces(pods.store) if path.startswith(str(test_dir)) and "/." not in path}
    left = look.left() | ours
    pods.remove_all()
    assert not left


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_becomes_what_it_says(manifest: Path, lives: dict[Path, Future[None]]) -> None:
    """And can be removed then."""
    lives[manifest].result()


def live(minirun: Minirun, manifest: Path, place: str) -> None:
    """The whole life of what ``manifest`` asks for; an AssertionError where it takes another course."""
    text = manifest.read_text().replace(ON_THE_HOST, place)
    (expected,) = said_after("# expect: ", text)
    created = minirun("pod", "create", "-", input=text)
    names = created_names(created.stdout)
    assert ("note: " in created.stderr) >= ("with notes" in expected)
    assert "a bug in minirun" not in created.stderr
    try:
        if expected.startswith(("refused ", "not made ")):
            assert created.returncode == 125 and not names
            words = expected.removeprefix("refused ").removeprefix("not made ").split()
            assert words and all(word in created.stderr for word in words)
            return
        assert created.returncode == 0, created.stderr
        wait_until_as_expected(minirun, names, text)
        shown = minirun("pod", "inspect", "--format", "yaml", *names, check=True).stdout
        for said in said_after("# status: ", text):
            assert said in shown
    finally:
        for name in names:
            minirun("pod", "rm", "-f", name, check=True)
