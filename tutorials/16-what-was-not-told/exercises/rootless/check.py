from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    with attempt.running(bare=True) as inside:
        own = inside.namespace("user") != attempt.host.namespace("user")
        attempt.expect(own, "hosts-user", pid=inside.pid)
        users, groups = (inside.read(name).split() for name in ("uid_map", "gid_map"))
        attempt.expect(users, "nobody", pid=inside.pid)
        attempt.expect(groups, "no-group", pid=inside.pid)
        attempt.expect(users[0] == groups[0] == "0", "not-root", users=users[0], groups=groups[0])
