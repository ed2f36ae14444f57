from minirun.learn.attempt import Attempt

NAME = "box"


def check(attempt: Attempt) -> None:
    before = attempt.host.hostname()
    with attempt.running() as inside:
        name = attempt.host.hostname()
        attempt.expect(name == before, "hosts-name", before=before, name=name)
        own = inside.namespace("uts") != attempt.host.namespace("uts")
        attempt.expect(own, "still-in-hosts-uts", pid=inside.pid)
        name = inside.hostname()
        attempt.expect(name == NAME, "wrong-name", pid=inside.pid, name=name)
