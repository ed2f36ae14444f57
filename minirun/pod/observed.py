"""What a pod's supervisor sees when it looks: the input of every decision.

Layer: pod; pure. Nothing here is remembered by anybody: a supervisor that has
just been started, after the last one was killed, fills in the same values from
files and from the kernel, and so decides the same. Times are seconds since the
epoch. What is under way is visible as such, so that it is not done twice:

    a container   none -> starting -> created -> running -> exited
    its stop      Stopping: noted, preStop, signalled, killed
    a hook        "" -> running -> done | failed
    the sandbox   alive -> dead -> gone (its address and the rest of its network given back)

A hook whose runner was killed is ``""`` again: hooks are run at least once, not
exactly once (Kubernetes, "Container Lifecycle Hooks"). The Values go through
``plain`` and ``revive``, so a supervisor may keep parts of them as they are.
Read decide.py next.
"""

from __future__ import annotations

from minirun.values import Value

NONE, STARTING, CREATED, RUNNING, EXITED = "none", "starting", "created", "running", "exited"
#: What may still have a process, or get one.
PRESENT = (STARTING, CREATED, RUNNING)

ALIVE, DEAD, GONE = "alive", "dead", "gone"

#: Of a hook; what runs it says ``running`` too.
DONE, FAILED = "done", "failed"

#: Of a probe, as its thresholds have counted; "" before there is a result.
SUCCESS, FAILURE = "success", "failure"

#: The phases that a pod does not leave.
SUCCEEDED, PHASE_FAILED = "Succeeded", "Failed"


class Ended(Value):
    """How one run of a container ended."""

    exitCode: int
    """128 + the signal for one that died of it."""
    signal: int = 0
    reason: str = ""
    """``OOMKilled``, ``StartError`` (the program could not be executed: 128); "" for the usual two."""
    message: str = ""
    startedAt: float = 0.0
    finishedAt: float
    id: str = ""
    """Which container it was: of each run its own."""
    stopped: str = ""
    """The reason of the Stopping that it ended in; "" if it ended by itself."""


class Stopping(Value):
    """A container is being stopped: since when, why, and how far that is."""

    since: float
    grace: float
    """Seconds that it is given, from ``since`` on."""
    reason: str
    message: str = ""
    preStop: str = ""
    signalledAt: float | None = None
    killedAt: float | None = None


class Probed(Value):
    """What a probe's results came to, and since when they have."""

    outcome: str = ""
    since: float = 0.0
    message: str = ""


class Problem(Value):
    """Something could not be made: an image, a configuration, the sandbox's network."""

    reason: str
    """``ErrImagePull``, ``CreateContainerConfigError`` ..., as Kubernetes names them."""
    message: str = ""
    remedy: str = ""
    """What to do about it, if that is known."""
    at: float
    """When it was tried last."""
    tries: int = 1
    """How often in a row."""


class Seen(Value):
    """One container, by its latest run."""

    state: str = NONE
    sandbox: int = 0
    """``attempt`` of the sandbox that this run is in."""
    id: str = ""
    imageID: str = ""
    joined: str = ""
    """Who has put it into the pod, and starts it: ``run`` or ``debug`` (join.py); "" for the supervisor."""
    restarts: int = 0
    """restartCount: how many runs there were before this one."""
    streak: int = 0
    """As StartContainer gave it: how many restarts stand behind the backoff (backoff.py)."""
    startedAt: float = 0.0
    ended: Ended | None = None
    """How this run ended, once it is ``exited``."""
    last: Ended | None = None
    """How the run before it ended."""
    problem: Problem | None = None
    """Why there is no next run yet."""
    postStart: str = ""
    postStartAt: float = 0.0
    """When the hook was done."""
    startup: Probed = Probed()
    liveness: Probed = Probed()
    readiness: Probed = Probed()
    stopping: Stopping | None = None

    @property
    def ran(self) -> Ended | None:
        """How it ended the last time that it did."""
        return self.ended or self.last


class Sandbox(Value):
    """What the pause program holds: namespaces, the address."""

    attempt: int = 0
    """0 for the first, 1 for the one that replaced it ..."""
    state: str = ALIVE
    streak: int = 0
    """As MakeSandbox gave it."""
    since: float = 0.0
    endedAt: float = 0.0
    id: str = ""
    addresses: tuple[str, ...] = ()


class Deletion(Value):
    """Somebody wants the pod to be gone."""

    at: float
    grace: float
    """Seconds from ``at`` on."""
    force: bool = False
    """Kill at once: no hooks, no signal before, no grace."""


class Observed(Value):
    """All that is seen of a pod."""

    createdAt: float = 0.0
    startedAt: float = 0.0
    """When a supervisor took it up first: activeDeadlineSeconds counts from here."""
    sandbox: Sandbox | None = None
    problem: Problem | None = None
    """Why there is no sandbox yet."""
    containers: dict[str, Seen] = {}
    """By name; of one that was never begun there is none."""
    deletion: Deletion | None = None
    eviction: str = ""
    """What it has too much of, in a sentence: it has to go."""
    phase: str = ""
    """As a Finish said it: Succeeded and Failed never change; "" until then."""
    reason: str = ""
    message: str = ""

    def of(self, name: str) -> Seen:
        """The container of that name."""
        return self.containers.get(name, _UNSEEN)


_UNSEEN = Seen()
