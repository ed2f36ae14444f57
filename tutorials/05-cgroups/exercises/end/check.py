from minirun.learn.attempt import Attempt

DAEMON = "setsid sh -c 'echo > /up; sleep 1000 & sleep 1000' & until test -e /up; do :; done; exit 3"


def check(attempt: Attempt) -> None:
    (attempt.rootfs / "dev").mkdir(exist_ok=True)
    (attempt.rootfs / "dev" / "null").touch()  # where a shell's background jobs read from
    done = attempt.run("run", str(attempt.rootfs), "sh", "-c", DAEMON)
    left = attempt.fence.processes()
    attempt.expect(not left, "survivors", count=len(left))
    attempt.expect(done.code == 3, "exit-code", code=done.code)
    behind = attempt.left_behind()
    attempt.expect(not behind, "group-left", what=behind)
