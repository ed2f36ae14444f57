"""The doctor on limits: of this process, which containers inherit, and of the machine."""

from __future__ import annotations

from minirun.container.doctor.finding import Finding, ok, warn, word
from minirun.linux.rlimit import Rlimit, get_limit, shown
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOUGH_FILES = 4096
ENOUGH_PIDS = 32768


def files(root: str, state: str) -> Iterator[Finding]:
    """Open files: what a container gets without --ulimit."""
    soft, hard = get_limit(Rlimit.NOFILE)
    text = f"nofile {shown(soft)}, up to {shown(hard)}; fs.nr_open {word('/proc/sys/fs/nr_open')}"
    if hard < ENOUGH_FILES:
        yield warn("open files", text, f"raise the hard limit to {ENOUGH_FILES} or more: ulimit -Hn")
    else:
        yield ok("open files", text)


def processes(root: str, state: str) -> Iterator[Finding]:
    """Processes: the machine's numbers and this user's."""
    pid_max, threads = word("/proc/sys/kernel/pid_max"), word("/proc/sys/kernel/threads-max")
    soft, _ = get_limit(Rlimit.NPROC)
    text = f"kernel.pid_max {pid_max}, kernel.threads-max {threads}, nproc {shown(soft)}"
    if int(pid_max or 0) < ENOUGH_PIDS:
        yield warn("processes", text, f"sysctl -w kernel.pid_max={ENOUGH_PIDS}")
    elif soft < ENOUGH_FILES:
        yield warn("processes", text, "raise the limit: ulimit -u")
    else:
        yield ok("processes", text)
