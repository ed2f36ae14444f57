from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    rootfs = str(attempt.rootfs)
    with attempt.running() as inside:
        own = inside.namespace("net") != attempt.host.namespace("net")
        attempt.expect(own, "hosts-net", pid=inside.pid)
        links = inside.run("ip", "-o", "link").out
        names = [line.split()[1].rstrip(":").partition("@")[0] for line in links.splitlines()]
        attempt.expect("eth0" in names, "no-eth0", names=", ".join(names))
        attempt.expect("<LOOPBACK,UP" in links, "lo-down")
        addresses = inside.run("ip", "-4", "-o", "address", "show", "eth0").out
        attempt.expect("10.77.0.2/24" in addresses, "no-address", said=addresses.strip() or "none")
        done = attempt.on_host("chroot", rootfs, "ping", "-c", "1", "-W", "2", "10.77.0.2")
        attempt.expect(done.code == 0, "no-answer")
    left = attempt.left_behind()
    attempt.expect(not left, "left-behind", what=left)
