import os

from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    # A descriptor that the program is started with, as a careless caller would.
    with attempt.running() as inside:
        root = os.stat(f"/proc/{inside.pid}/root/")
        attempt.expect(os.path.samestat(root, os.stat(attempt.rootfs)), "hosts-root", pid=inside.pid)
        where = os.readlink(f"/proc/{inside.pid}/cwd")
        attempt.expect(where.startswith(str(attempt.rootfs)), "stands-outside", pid=inside.pid, where=where)
        for number in os.listdir(f"/proc/{inside.pid}/fd"):
            place = os.readlink(f"/proc/{inside.pid}/fd/{number}")
            held = os.path.isdir(f"/proc/{inside.pid}/fd/{number}")
            attempt.expect(not held, "holds-a-directory", pid=inside.pid, number=number, place=place)
