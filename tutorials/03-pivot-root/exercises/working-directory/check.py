import os

from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        roots = [os.stat(f"/proc/{pid}/root/") for pid in (inside.pid, attempt.host.pid)]
        attempt.expect(not os.path.samestat(*roots), "hosts-root", pid=inside.pid)
        where = os.readlink(f"/proc/{inside.pid}/cwd")
        # In a mount namespace of its own its paths are no paths of ours.
        own = inside.namespace("mnt") != attempt.host.namespace("mnt")
        stands = own or where.startswith(str(attempt.rootfs))
        attempt.expect(stands, "stands-outside", pid=inside.pid, where=where)
        for number in os.listdir(f"/proc/{inside.pid}/fd"):
            place = os.readlink(f"/proc/{inside.pid}/fd/{number}")
            held = os.path.isdir(f"/proc/{inside.pid}/fd/{number}")
            attempt.expect(not held, "holds-a-directory", pid=inside.pid, number=number, place=place)
