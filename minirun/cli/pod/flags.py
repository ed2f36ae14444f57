"""The flags of the pod commands that must start fast, and the values they fill.

As ``cli/flags.py`` for containers; but here flags may stand behind the words too,
as kubectl has it: ``pod create web.yaml --wait``, ``pod exec web -it -- sh``.
"""

from __future__ import annotations

from minirun.cli import flag_values, quick
from minirun.cli.flag_values import Kind
from minirun.cli.flags import NAME, NETWORK, SWITCH
from minirun.cli.table import Flag, Table
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How long --wait waits if it is not said, in seconds.
PATIENCE = 300.0


class CreateOptions(Value):
    """``pod create`` and ``pod apply``."""

    file: str
    filename: bool = False
    """``-f FILE``, as kubectl has it: says what stands there anyway."""
    wait: float | None = None
    """Seconds; None does not wait."""
    replace: bool = False
    network: tuple[str, ...] = ()
    lenient: bool = False


class EndOptions(Value):
    """``pod stop``, ``pod restart``, ``pod rm``, ``pod start``: which pods, and how."""

    pods: tuple[str, ...] = ()
    all: bool = False
    force: bool = False
    time: float | None = None
    """Seconds of grace; None for each pod's own."""


class DownOptions(Value):
    """``pod down``."""

    file: str
    filename: bool = False
    force: bool = False
    time: float | None = None


class ExecOptions(Value):
    """``pod exec``."""

    pod: str
    command: tuple[str, ...] = ()
    container: str = ""
    stdin: bool = False
    tty: bool = False


def _wait(text: str) -> float | None:
    if text == "true":
        return PATIENCE
    if text == "false":
        return None
    return flag_values.duration(text)


def _grace(text: str) -> float:
    seconds = flag_values.duration(text)
    if seconds < 0:
        raise ValueError("it is negative")
    return seconds


WAIT = Kind(read=_wait, metavar="[=TIME]", like="--wait, or --wait=TIME such as --wait=90s", switch=True)
GRACE = Kind(read=_grace, metavar="SECONDS", like="a time such as 10, 90s or 1m30s")

#: A pod takes no other's namespace, nor the host's: that is for its manifest to say.
POD_NETWORK = Kind(
    read=NETWORK.read, metavar="NETWORK|cni:NAME|none", like="none, cni:NAME, or one of `minirun network ls`"
)
#: kubectl's way to name the file. The flag says no more than the word behind it.
FILENAME = Flag("-f --filename", SWITCH, "FILE may stand behind it, as for kubectl.")
MADE = (
    FILENAME,
    Flag("--wait", WAIT, "Wait until the pods are ready, or have done their task; for 5m, or --wait=TIME."),
    Flag(
        "--net --network",
        POD_NETWORK,
        "The network of the pods (minirun); again for one more; none, cni:NAME.",
    ),
    Flag("--lenient", SWITCH, "Unknown fields are only warned of."),
)
REPLACE = Flag("--replace", SWITCH, "A pod that has the name is killed and removed first.")
ALL = Flag("-a --all", SWITCH, "All pods.")
TIME = Flag(
    "-t --grace-period --time", GRACE, "How long programs may take to end, instead of the pod's time."
)
SEVERAL = "pods*"
EXECUTED = (
    Flag(
        "-c --container",
        NAME,
        "Which container; else the one that the pod names as its default, or the first.",
    ),
    Flag("-i --stdin", SWITCH, "Pass stdin on."),
    Flag("-t --tty", SWITCH, "Give the program a terminal."),
)


def _table(kind: type[Value], words: str, help: str, *flags: Flag) -> Table:
    return Table(kind, words, help, {"Options": flags})


TABLES = {
    "create": _table(
        CreateOptions,
        "file",
        "Make pods of a Kubernetes manifest; - reads it from standard input.\n\n"
        "The file may hold several Pods, Deployments, Jobs and DaemonSets, and the ConfigMaps "
        "and Secrets that they use. A pod that cannot be made leaves nothing behind, and the "
        "others as they are.",
        *MADE,
        REPLACE,
    ),
    "apply": _table(
        CreateOptions,
        "file",
        "Make the pods of a manifest what it says; - reads it from standard input.\n\n"
        "Pods that are not there are made, pods that are unchanged are left alone, changed "
        "ones are stopped, with their time to end, and made anew. Where only ConfigMaps and "
        "Secrets are others, the pod goes on, and its volumes get them. Pods of a Deployment "
        "that it asks for no longer are ended and removed.",
        *MADE,
    ),
    "down": _table(
        DownOptions,
        "file",
        "End and remove the pods of a manifest; one that is gone already is fine.\n\n"
        "- reads it from standard input. All pods of a Deployment go, however many the file asks for.",
        FILENAME,
        Flag("--force", SWITCH, "Kill at once."),
        TIME,
    ),
    "exec": _table(
        ExecOptions,
        "pod command+",
        "Run one more program in a container of a pod: minirun pod exec web -it -- sh",
        *EXECUTED,
    ),
    "start": _table(EndOptions, SEVERAL, "Begin pods anew that have ended or were stopped.", ALL),
    "stop": _table(
        EndOptions,
        SEVERAL,
        "End all that runs in pods: preStop hooks, stop signal, SIGKILL when the time is over; "
        "sidecars last. Their files stay.",
        ALL,
        TIME,
    ),
    "restart": _table(EndOptions, SEVERAL, "Stop pods and start them again.", ALL, TIME),
    "rm": _table(
        EndOptions,
        SEVERAL,
        "Remove pods.",
        ALL,
        Flag("-f --force", SWITCH, "Kill those that run; one that is gone is no error."),
        Flag(
            "-t --grace-period --time",
            GRACE,
            "With --force: how long programs may take to end before they are killed.",
        ),
    ),
}


def read(table: Table, argv: Sequence[str]) -> quick.Given | None:
    """As ``quick.read``, and flags may stand between and behind the words.

    Not behind the first word of a program (``command+``); None if click had better look.
    """
    last = table.words[-1]
    own_words = len(table.words) - 1 if last.startswith("command") else None
    given: dict[str, list[str]] = {}
    words: list[str] = []
    rest = list(argv)
    while True:
        found = quick.read(table, rest)
        if found is None:
            return None
        for flag in table.flags:
            more = found[0].get(flag.name, [])
            if more:
                given[flag.name] = given.get(flag.name, []) + more if table.gathers(flag) else more
        consumed = rest[: len(rest) - len(found[1])]
        rest = found[1]
        if not rest or consumed[-1:] == ["--"] or len(words) == own_words:
            return given, words + rest
        words.append(rest.pop(0))
