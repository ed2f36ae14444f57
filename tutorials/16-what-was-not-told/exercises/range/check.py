from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        own = inside.namespace("user") != attempt.host.namespace("user")
        attempt.expect(own, "hosts-user", pid=inside.pid)
        first, outside, count = map(int, inside.read("uid_map").split()[:3])
        attempt.expect(outside, "root-outside", pid=inside.pid)
        attempt.expect(first == 0 and count >= 65536, "one-user", count=count)
        uid = int(inside.status("Uid").split()[0])
        attempt.expect(uid == outside, "still-nobody", uid=uid, outside=outside)
        groups = inside.status("Groups").split()
        attempt.expect(not groups, "groups-of-the-host", groups=", ".join(groups))
