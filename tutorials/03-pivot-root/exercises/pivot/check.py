import os

from minirun.learn.attempt import Attempt
from minirun.linux import mount
from minirun.linux.mount import MountFlag

#: What later chapters' runtimes mount as well.
OWN = ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2")
DEVICES = ("/dev/", "/proc/", "/sys/")


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
        theirs = inside.inside(root, "mnt") != attempt.host.inside(root, "mnt")
        attempt.expect(theirs, "root-is-the-hosts", pid=inside.pid)
        mounts = [one for one in inside.mounts() if one.kind not in OWN and not one.point.startswith(DEVICES)]
        others = [one.point for one in mounts if one.point != "/"]
        attempt.expect(not others, "old-root-there", count=len(others), where="".join(others[:1]))
