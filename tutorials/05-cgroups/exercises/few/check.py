from pathlib import Path

from minirun.learn.attempt import Attempt

MOST = "16"


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        group = Path(inside.cgroups()["pids"])
        fenced = str(group) in attempt.fence.group.directories
        attempt.expect(not fenced, "not-in-the-group", pid=inside.pid)
        limit = (group / "pids.max").read_text().strip()
        attempt.expect(limit == MOST, "no-limit", group=group, limit=limit)
    left = attempt.left_behind()
    attempt.expect(not left, "group-left", what=left)
