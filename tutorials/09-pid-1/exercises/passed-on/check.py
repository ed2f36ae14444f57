import os
import signal

from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        own = inside.namespace("pid") != attempt.host.namespace("pid")
        attempt.expect(own, "hosts-pids", pid=inside.pid)
        number = inside.status("NSpid").split()[-1]
        attempt.expect(number != "1", "is-pid-1", pid=inside.pid)
        first = inside.parent()
        os.kill(first.pid, signal.SIGTERM)
        attempt.until(lambda: not inside.exists(), "not-passed-on", seconds=2, pid=inside.pid)
    rootfs = str(attempt.rootfs)
    told = "trap 'echo told; exit 7' TERM; kill -TERM 1; while :; do :; done"
    done = attempt.run("run", rootfs, "sh", "-c", told, timeout=5)
    attempt.expect(done.out == "told\n", "not-told")
    attempt.expect(done.code == 7, "exit-code", code=done.code, wanted=7)
    done = attempt.run("run", rootfs, "sh", "-c", "kill -KILL $$")
    attempt.expect(done.code == 137, "exit-code", code=done.code, wanted=137)
