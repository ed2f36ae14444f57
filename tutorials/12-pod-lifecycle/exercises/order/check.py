import json

from minirun.learn.attempt import Attempt, Wrong


def check(attempt: Attempt) -> None:
    log = attempt.folder / "log"

    def note(name: str, then: str = "sleep 0.2", last: str = "") -> dict[str, object]:
        """A container that writes down when it begins and when it ends."""
        line = f"echo {name} begins >> {log}; {then}; echo {name} ends >> {log}; {last}"
        return {"name": name, "command": ["sh", "-c", line]}

    def sidecar(name: str) -> dict[str, object]:
        end = f"trap 'sleep 0.1; echo {name} ends >> {log}; exit 0' TERM"
        line = f"{end}; echo {name} begins >> {log}; while sleep 0.02; do :; done"
        return {"name": name, "restartPolicy": "Always", "command": ["sh", "-c", line]}

    def happened() -> list[str]:
        return log.read_text().splitlines() if log.exists() else []

    inits = [note("first"), sidecar("inner"), sidecar("outer"), note("second")]
    code = _run(attempt, inits, [note("long", "sleep 0.6"), note("short")])
    at = {line: number for number, line in enumerate(happened())}
    attempt.expect("first ends" in at and "second ends" in at, "init-missing", what=", ".join(at))
    attempt.expect(at["second begins"] > at["first ends"], "init-at-once")
    attempt.expect("long begins" in at and "short begins" in at, "app-missing", what=", ".join(at))
    attempt.expect(min(at["long begins"], at["short begins"]) > at["second ends"], "app-early")
    attempt.expect(at["short begins"] < at.get("long ends", len(at)), "apps-in-turn")
    attempt.expect("inner ends" in at and "outer ends" in at, "sidecar-stays", what=", ".join(at))
    attempt.expect(at["outer ends"] > at.get("long ends", len(at)), "sidecar-first")
    attempt.expect(at["inner ends"] > at["outer ends"], "sidecar-order")
    attempt.expect(code == 0, "code", code=code)

    log.unlink()
    code = _run(attempt, [note("first", "true", "exit 1")], [note("app")])
    attempt.expect("app begins" not in happened(), "failed-init")
    attempt.expect(code, "code", code=code)


def _run(attempt: Attempt, inits: list[dict[str, object]], apps: list[dict[str, object]]) -> int:
    pod = attempt.folder / "pod.json"
    pod.write_text(json.dumps({"spec": {"initContainers": inits, "containers": apps}}))
    try:
        return attempt.run("pod.json", timeout=5.0).code
    except Wrong as wrong:
        if wrong.key != "too-long":
            raise
    raise Wrong("for-ever", seconds="5")
