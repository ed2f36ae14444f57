"""What a decision asks the supervisor to do: one Value for each deed.

Layer: pod; pure. decide.py gives these in the order in which they are to be
done; each is done once, is safe to be done twice, and is then visible in what
is observed (observed.py), so a supervisor that is killed between two of them is
followed by one that goes on with the next.
"""

from __future__ import annotations

from minirun.pod.observed import Stopping
from minirun.values import Value


class Action(Value):
    """One deed."""


class MakeSandbox(Action):
    """Start pause: namespaces, the address. Visible as ``sandbox`` alive with these numbers,
    or as ``problem``."""

    attempt: int
    streak: int


class StopSandbox(Action):
    """End pause if it lives, give the address back. Visible as ``sandbox`` gone."""


class StartContainer(Action):
    """Make the container's next run in the sandbox, or open the gate of the one that is
    ``created``. Visible as its state, with these numbers, or as its ``problem``."""

    name: str
    sandbox: int
    restarts: int
    streak: int


class RunPostStart(Action):
    """Begin the hook. Visible as ``postStart``."""

    name: str


class StopContainer(Action):
    """Note that it is being stopped: from here on nobody starts it. Visible as ``stopping``;
    and as ``stopped`` of how it ended, in the end."""

    name: str
    stopping: Stopping


class RunPreStop(Action):
    """Begin the hook; after ``seconds`` nobody waits for it. Visible as ``stopping.preStop``."""

    name: str
    seconds: float


class SignalContainer(Action):
    """Send the stop signal. Visible as ``stopping.signalledAt``."""

    name: str
    signal: str = ""
    """"" for the image's own, or TERM."""


class KillContainer(Action):
    """Send KILL to all of it; give up a start that is under way. Visible as ``stopping.killedAt``."""

    name: str


class Finish(Action):
    """Store the phase that the pod has for good. Visible as ``phase``."""

    phase: str
    reason: str = ""
    message: str = ""
