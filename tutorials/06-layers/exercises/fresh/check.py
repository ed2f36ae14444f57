from minirun.learn.attempt import Attempt

WRITE = "echo hello > /new && cat /new"


def check(attempt: Attempt) -> None:
    before = set(attempt.folder.iterdir())
    done = attempt.run("run", str(attempt.rootfs), "sh", "-c", WRITE)
    attempt.expect(not (attempt.rootfs / "new").exists(), "rootfs-changed")
    attempt.expect(done.out == "hello\n", "cannot-write", said=(done.err or done.out).strip())
    done = attempt.run("run", str(attempt.rootfs), "cat", "/new")
    attempt.expect(done.code, "remembers", said=done.out.strip())
    left = attempt.left_behind()
    attempt.expect(not left, "left-behind", what=left)
    new = set(attempt.folder.iterdir()) - before
    attempt.expect(not new, "top-left", what=", ".join(sorted(path.name for path in new)))
