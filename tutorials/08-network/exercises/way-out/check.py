import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from minirun.learn.attempt import Attempt
from minirun.learn.looking import Process

FORWARD = "/proc/sys/net/ipv4/ip_forward"


def check(attempt: Attempt) -> None:
    with world(attempt):
        judge(attempt)


def judge(attempt: Attempt) -> None:
    attempt.host.inside(no_router, "net")
    with attempt.running() as inside:
        route = inside.run("ip", "route", "show", "default").out
        attempt.expect("via 10.77.0.1" in route, "no-route", said=route.strip() or "none")
        attempt.expect(forwards(attempt) == "1", "not-a-router")
        ping = ("chroot", str(attempt.rootfs), "ping", "-c", "1", "-W", "1", "198.51.100.2")
        attempt.expect(inside.run(*ping).code == 0, "no-nat")
    tables = attempt.on_host("nft", "list", "tables").out
    attempt.expect(not tables, "table-left", tables=tables.strip())
    attempt.expect(forwards(attempt) == "0", "router-left", before="0")


def no_router() -> None:
    with open(FORWARD, "w") as file:
        file.write("0")


def forwards(attempt: Attempt) -> str:
    def read() -> str:
        with open(FORWARD) as file:
            return file.read().strip()

    return str(attempt.host.inside(read, "net"))


@contextmanager
def world(attempt: Attempt) -> Iterator[Process]:
    """A machine beyond the host, 198.51.100.2, which knows no way to 10.77.0.0."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    words = ["unshare", "--net", "sh", "-c", "echo here; read end; : done"]
    with attempt.fence.popen(words, str(attempt.folder), environment, **pipes) as started:
        assert started.stdout
        started.stdout.readline()
        there = Process(started.pid)
        for line in (
            f"ip link add uplink type veth peer name eth0 netns {there.pid}",
            "ip address add 198.51.100.1/24 dev uplink",
            "ip link set uplink up",
        ):
            attempt.on_host(*line.split())
        for line in ("ip address add 198.51.100.2/24 dev eth0", "ip link set eth0 up"):
            there.run(*line.split())
        try:
            yield there
        finally:
            attempt.fence.kill()
