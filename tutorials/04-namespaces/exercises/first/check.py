from minirun.learn.attempt import Attempt, Process


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        numbers = inside.status("NSpid").split()
        own = inside.namespace("pid") != attempt.host.namespace("pid")
        attempt.expect(own or not for_children(inside), "not-pid-1", pid=inside.pid)
        attempt.expect(own, "hosts-pids", pid=inside.pid)
        attempt.expect(numbers[-1] == "1", "not-pid-1", pid=inside.pid)
    listed = attempt.run("run", str(attempt.rootfs), "ps", "-o", "pid,comm")
    lines = listed.out.splitlines()[1:]
    attempt.expect(lines, "no-proc")
    attempt.expect(len(lines) == 1, "hosts-proc", count=len(lines), first=lines[0].strip())
    done = attempt.run("run", str(attempt.rootfs), "sh", "-c", "exit 7")
    attempt.expect(done.code == 7, "exit-code", code=done.code)


def for_children(process: Process) -> bool:
    """Whether its children would be born in another PID namespace; one without a first child has no file."""
    try:
        return process.namespace("pid_for_children") != process.namespace("pid")
    except FileNotFoundError:
        return True
