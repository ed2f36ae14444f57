from pathlib import Path

from minirun.learn.attempt import Attempt

MOST = 32 << 20
FILES = ("memory.max", "memory.limit_in_bytes")
HUNGRY = "x=x; while :; do x=$x$x; done"
KILLED = "kill -9 $$"


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        group = Path(inside.cgroups()["memory"])
        limit = next((group / name).read_text().strip() for name in FILES if (group / name).exists())
        attempt.expect(limit == str(MOST), "no-limit", pid=inside.pid, group=group, limit=limit)
        members = (group / "cgroup.procs").read_text().split()
        attempt.expect(str(inside.parent().pid) not in members, "runtime-killed", parent=inside.parent().pid)
    done = attempt.run("run", str(attempt.rootfs), "sh", "-c", HUNGRY)
    told = "out of memory" in done.err
    attempt.expect(told and done.code == 137, "silent-death", code=done.code, said=done.err.strip())
    done = attempt.run("run", str(attempt.rootfs), "sh", "-c", KILLED)
    attempt.expect("out of memory" not in done.err, "guessed")
