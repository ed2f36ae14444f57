"""What a look makes of a container that changes while it is looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minirun.container.state import Home, Store
from minirun.pod import observe
from minirun.pod.observed import CREATED, EXITED, NONE, STARTING, Ended, Observed, Seen
from minirun.pod.state import Pods

BEFORE = Ended(exitCode=0, startedAt=1.0, finishedAt=2.0, id="b" * 64)


@pytest.mark.parametrize("state", [STARTING, CREATED])
@pytest.mark.parametrize("last", [None, BEFORE])
def test_a_run_that_its_maker_takes_back_meanwhile_was_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, last: Ended | None
) -> None:
    """A supervisor was killed; the child that was making the run finds out, after the look has begun."""
    store = Store(root=str(tmp_path / "root"), state=str(tmp_path / "state"))
    made = store.container("a" * 64)
    for place in (made.data, made.runtime):
        os.makedirs(place)
    Path(made.data, "container.json").write_text("{}")

    def taken_back(home: Home) -> bool:
        os.unlink(f"{home.data}/container.json")
        return False

    monkeypatch.setattr(observe, "is_looked_after", taken_back)
    run = Seen(state=state, id=made.id, restarts=1 if last else 0, streak=1 if last else 0, last=last)
    pod = Pods(store=store).home("11111111-2222-3333-4444-555555555555")
    found = observe.look(pod, Observed(createdAt=1.0, containers={"app": run})).of("app")
    assert not os.path.exists(f"{made.data}/container.json")
    assert (found.state, found.ended, found.last, found.id) == (EXITED if last else NONE, last, None, "")
    assert (found.restarts, found.streak) == (0, 0)
