from minirun.learn.attempt import Attempt
from minirun.linux import capability

KEPT = 1 << capability.Capability.NET_BIND_SERVICE


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        effective, bounding = inside.capabilities(), inside.capabilities("CapBnd")
        attempt.expect(not effective & ~KEPT, "too-much", pid=inside.pid, names=names(effective & ~KEPT))
        attempt.expect(not bounding & ~KEPT, "ceiling-open", pid=inside.pid, count=count(bounding & ~KEPT))
        attempt.expect(effective == KEPT, "too-little", pid=inside.pid)
        inherited = inside.capabilities("CapInh") | inside.capabilities("CapAmb")
        attempt.expect(not inherited, "handed-on", names=names(inherited))
        attempt.expect(inside.status("NoNewPrivs") == "1", "may-get-more", pid=inside.pid)


def count(mask: int) -> int:
    return bin(mask).count("1")


def names(mask: int) -> str:
    found = capability.names_of(mask)
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more
