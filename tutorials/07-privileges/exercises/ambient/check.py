from minirun.learn.attempt import Attempt
from minirun.linux import capability

KEPT = 1 << capability.Capability.NET_BIND_SERVICE


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        for field, key in (("Uid", "another-user"), ("Gid", "another-group")):
            ids = inside.status(field).split()
            attempt.expect(ids[1] == "1000", key, pid=inside.pid, id=ids[1])
            attempt.expect(set(ids) == {"1000"}, "way-back", field=field, ids=" ".join(ids))
        groups = inside.status("Groups")
        attempt.expect(groups in ("", "1000"), "old-groups", groups=groups)
        effective = inside.capabilities()
        attempt.expect(effective & KEPT, "lost-at-exec", pid=inside.pid)
        ceiling = inside.capabilities("CapBnd") | effective
        attempt.expect(ceiling == KEPT, "ceiling-open", count=bin(ceiling & ~KEPT).count("1"))
