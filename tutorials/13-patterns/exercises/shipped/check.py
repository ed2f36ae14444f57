from minirun.learn.attempt import Attempt, Wrong
from minirun.learn.node import Node, manifest

LINES = ["shipped: open", "shipped: closed"]


def check(attempt: Attempt) -> None:
    specs = [pod.spec for pod in manifest(attempt).pods if pod.metadata.name == "shop"]
    every = [one for spec in specs for one in (*spec.initContainers, *spec.containers)]
    found = {one.name: one for one in every}
    attempt.expect({"shop", "shipper"} <= set(found), "no-shipper", names=", ".join(found) or "none")
    shop, shipper = found["shop"], found["shipper"]
    at = {mount.mountPath: mount.name for mount in shop.volumeMounts}
    theirs = {mount.mountPath: mount.name for mount in shipper.volumeMounts}
    shared = at.get("/var/log") and at.get("/var/log") == theirs.get("/logs")
    attempt.expect(shared, "not-shared")
    with Node(attempt) as node:
        node.create()
        attempt.until(lambda: ended(node, shipper.restartPolicy), "waits", seconds=30)
        apps = [one.name for one in specs[0].containers]
        # Among the apps it may end by itself; told to, it is only as a sidecar.
        seconds = 1 if "shipper" in apps else 30
        status = attempt.until(lambda: over(node), "never-completes", seconds=seconds)
        code = state(status, "shop")["terminated"]["exitCode"]
        attempt.expect(code == 0, "too-early", code=code)
        lines = node.log("shop", "shipper")
        attempt.expect(lines == LINES, "lost-lines", said=", ".join(lines) or "nothing")


def state(status: dict, name: str) -> dict:
    every = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    return next((one["state"] for one in every if one["name"] == name), {})


def ended(node: Node, policy: str | None) -> bool:
    """Whether the shop has run; it never will once an init container runs that goes on for ever."""
    status = node.status("shop")
    inits = [one["name"] for one in status.get("initContainerStatuses", ())]
    if policy != "Always" and "shipper" in inits and "running" in state(status, "shipper"):
        raise Wrong("waits")
    return "terminated" in state(status, "shop")


def over(node: Node) -> dict | None:
    status = node.status("shop")
    return status if status["phase"] in ("Succeeded", "Failed") else None
