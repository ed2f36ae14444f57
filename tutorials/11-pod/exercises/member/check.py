from minirun.learn.attempt import Attempt, Process

SHARED = ("net", "ipc", "uts")
OWN = ("pid", "mnt")


def check(attempt: Attempt) -> None:
    pause = _pause(attempt)
    with attempt.running(str(pause.pid), "run", str(attempt.rootfs)) as member:
        for kind in SHARED:
            same = member.namespace(kind) == pause.namespace(kind)
            attempt.expect(same, "not-shared", kind=kind, pid=member.pid)
        for kind in OWN:
            of_pod = member.namespace(kind) == pause.namespace(kind)
            attempt.expect(not of_pod, "pauses-own", kind=kind, pid=member.pid)
            of_host = member.namespace(kind) == attempt.host.namespace(kind)
            attempt.expect(not of_host, "hosts-own", kind=kind, pid=member.pid)
        attempt.expect(
            member.status("NSpid").split()[1:] == ["1"], "not-first", numbers=member.status("NSpid")
        )
    done = attempt.run(str(pause.pid), "run", str(attempt.rootfs), "sh", "-c", "exit 7")
    attempt.expect(done.code == 7, "code-lost", code=done.code)


def _pause(attempt: Attempt) -> Process:
    """Somebody who holds a pod's namespaces, and has a PID and a mount namespace of its own as well."""
    words = ["unshare", "--net", "--ipc", "--uts", "--mount", "--pid", "--fork", "sleep", "1000"]
    started = attempt.fence.popen(words, str(attempt.folder), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    outer = Process(started.pid)
    pause: Process = attempt.until(
        lambda: _sleeping(outer), "crashed", program="unshare", code=1, said="", line="unshare"
    )
    return pause


def _sleeping(outer: Process) -> Process | None:
    return next((child for child in outer.children() if child.words()[:1] == ["sleep"]), None)
