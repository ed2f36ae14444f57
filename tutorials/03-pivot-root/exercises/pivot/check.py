import os

from minirun.learn.attempt import Attempt
from minirun.linux import mount
from minirun.linux.mount import MountFlag

OWN = ("proc", "sysfs", "tmpfs", "devpts")


def share() -> None:
    mount.mount(None, "/", None, MountFlag.REC | MountFlag.SHARED, None)


def root() -> list[int]:
    """Of the mount namespace: whoever joins it stands there, wherever the program has its own root."""
    found = os.stat("/")
    return [found.st_dev, found.st_ino]


def check(attempt: Attempt) -> None:
    attempt.host.inside(share, "mnt")  # as systemd does on most hosts
    before = {one.point for one in attempt.host.mounts()}
    with attempt.running() as inside:
        own = inside.namespace("mnt") != attempt.host.namespace("mnt")
        attempt.expect(own, "hosts-mounts", pid=inside.pid)
        news = {one.point for one in attempt.host.mounts()} - before
        attempt.expect(not news, "tells-the-host", where=", ".join(sorted(news)))
        theirs = os.stat(attempt.rootfs)
        same = inside.inside(root, "mnt") == [theirs.st_dev, theirs.st_ino]
        attempt.expect(same, "root-is-the-hosts", pid=inside.pid)
        others = [one.point for one in inside.mounts() if one.point != "/" and one.kind not in OWN]
        attempt.expect(not others, "old-root-there", count=len(others), where="".join(others[:1]))
