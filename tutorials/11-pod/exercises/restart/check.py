import os
import signal

from minirun.learn.attempt import Attempt, Process

COMMAND = "sh", "-c", "sleep 1000; : member"


def check(attempt: Attempt) -> None:
    with attempt.started("run", str(attempt.rootfs), *COMMAND) as pod:
        first = attempt.until(lambda: _member(attempt, pod), "no-member", seconds=3)
        network = first.namespace("net")
        attempt.expect(network != attempt.host.namespace("net"), "hosts-network", pid=first.pid)
        holders = _holders(attempt, network, pod, first)
        attempt.expect(holders, "nobody-holds", pid=first.pid)
        os.kill(first.pid, signal.SIGKILL)
        attempt.until(
            lambda: not os.path.exists(f"/proc/{first.pid}"), "not-buried", pid=first.pid, seconds=2
        )
        second = attempt.until(lambda: _member(attempt, pod), "not-restarted", seconds=2)
        same = second.namespace("net") == network
        attempt.expect(same, "another-network", before=network, after=second.namespace("net"))
        os.kill(_holders(attempt, network, pod, second)[0].pid, signal.SIGKILL)
        attempt.until(lambda: not second.exists() and not pod.exists(), "outlives-pause", seconds=2)
        attempt.expect(not _member(attempt, pod), "outlives-pause", seconds="2")


def _member(attempt: Attempt, pod: Process) -> Process | None:
    """Who has become CMD, and is not about to."""
    for pid in sorted(attempt.fence.processes()):
        try:
            if Process(pid).words() == list(COMMAND):
                return Process(pid)
        except OSError:
            continue
    return None


def _holders(attempt: Attempt, network: int, pod: Process, member: Process) -> list[Process]:
    """Who else is in the network of the pod, and is neither the program itself nor below the member."""
    known = (pod.pid, member.pid, *(child.pid for child in member.children()))
    others = [Process(pid) for pid in sorted(attempt.fence.processes()) if pid not in known]
    return [one for one in others if one.namespace("net") == network]
