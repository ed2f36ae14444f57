from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    file = str(attempt.folder / "held")
    done = attempt.run(file)
    attempt.expect(done.code == 0, "failed", code=done.code, said=(done.err.strip().splitlines() or [""])[-1])
    held = [one for one in attempt.host.mounts() if one.point == file]
    attempt.expect(held, "no-mount", file="FILE")
    attempt.expect(held[-1].kind == "nsfs", "not-a-namespace", kind=held[-1].kind)
    attempt.expect(held[-1].root.startswith("net:"), "another-kind", what=held[-1].root)
    inode = int(held[-1].root.strip("net:[]"))
    attempt.expect(inode != attempt.host.namespace("net"), "hosts")
    attempt.expect(not attempt.fence.processes(), "somebody-stays", count=len(attempt.fence.processes()))
