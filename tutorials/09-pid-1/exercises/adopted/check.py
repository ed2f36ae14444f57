from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    rootfs = str(attempt.rootfs)
    (attempt.rootfs / "dev" / "null").touch()  # what a shell gives to those in the background as stdin
    with attempt.running() as inside:
        program = inside.parent().pid
        attempt.expect(inside.namespace("pid") == attempt.host.namespace("pid"), "own-pids", pid=program)
    done = attempt.run("run", rootfs, "sh", "-c", "(sleep 0.3; echo last; exit 5) & exit 3")
    attempt.expect(done.out == "last\n" and not attempt.fence.processes(), "too-early")
    attempt.expect(done.code == 3, "exit-code", code=done.code)
