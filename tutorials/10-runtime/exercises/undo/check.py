import os
import signal

from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    with attempt.running():
        attempt.expect(_mounted(attempt), "nothing-done")
    attempt.expect(not _left(attempt), "left-after-end", what=_left(attempt))

    attempt.on_host("ip", "link", "add", "undo0", "type", "veth", "peer", "name", "others0")
    done = attempt.run("run", str(attempt.rootfs), "true")
    others = attempt.on_host("ip", "link", "show", "others0").code == 0
    attempt.expect(others, "took-what-is-others")
    attempt.expect(done.code, "no-word-of-it", code=done.code)
    attempt.on_host("ip", "link", "delete", "undo0")
    attempt.expect(not _left(attempt), "left-after-failure", what=_left(attempt))

    with attempt.started("run", str(attempt.rootfs), "sh", "-c", "echo begun; sleep 1000") as one:
        attempt.until(lambda: "begun" in attempt.out(), "nothing-done")
        os.kill(one.pid, signal.SIGTERM)
        attempt.until(lambda: not one.exists(), "deaf", seconds=2)
        attempt.expect(not _left(attempt), "left-after-signal", what=_left(attempt))


def _mounted(attempt: Attempt) -> bool:
    return any(one.point == str(attempt.folder / "store") for one in attempt.host.mounts())


def _left(attempt: Attempt) -> str:
    """In words of the kernel: what of the three steps is there."""
    found = [each for each in ("undo0", "undo1") if attempt.on_host("ip", "link", "show", each).code == 0]
    found += ["the mount on store"] if _mounted(attempt) else []
    found += ["the directory store"] if (attempt.folder / "store").exists() else []
    return ", ".join(found)
