from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    before = attempt.host.hostname()
    with attempt.running() as inside:
        attempt.expect(attempt.host.hostname() == before, "hosts-name-changed", name=inside.hostname())
        attempt.expect(inside.namespace("uts") != attempt.host.namespace("uts"), "hosts-uts", pid=inside.pid)
        attempt.expect(inside.hostname() == "inside", "not-named", name=inside.hostname())
