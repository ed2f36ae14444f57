import os

from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    impostor = attempt.rootfs / "dev" / "null"
    impostor.unlink(missing_ok=True)
    impostor.write_text("as you can see, nothing is masked\n")
    with attempt.running() as inside:
        settings = [one for one in inside.mounts() if one.point == "/proc/sys"]
        attempt.expect(settings and "ro" in settings[-1].options[:1], "writable", pid=inside.pid)
        found = os.stat(inside.path("/proc/interrupts"))
        kernels = found.st_dev == os.stat(inside.path("/proc/version")).st_dev
        attempt.expect(not kernels, "not-masked", pid=inside.pid)
        attempt.expect(found.st_rdev == os.makedev(1, 3), "follows-image", pid=inside.pid)
