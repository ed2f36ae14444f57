import os

from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    done = attempt.run("run", str(attempt.rootfs), "touch", "/written")
    written = (attempt.rootfs / "written").exists()
    attempt.expect(done.code and "Read-only file system" in done.err and not written, "writable")
    done = attempt.run("run", str(attempt.rootfs), "sh", "-c", "echo kept > /tmp/note && cat /tmp/note")
    attempt.expect(done.out == "kept\n", "no-tmp", said=(done.err or done.out).strip())
    attempt.expect(not (attempt.rootfs / "tmp" / "note").exists(), "tmp-is-rootfs")
    with attempt.running() as inside:
        mode = os.stat(inside.path("/tmp")).st_mode & 0o7777
        attempt.expect(mode == 0o1777, "tmp-of-one", mode=f"{mode:o}")
