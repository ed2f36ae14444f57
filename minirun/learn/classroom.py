"""The folder and the commands that a chapter finds, and its sessions played in them.

Layer ``learn``. The folder is as `minirun learn start N` makes it: the
chapter's own files, each exercise's task as NAME.py, and ./rootfs from the
image busybox. A Classroom is one for a test or a writer: temporary, fenced,
with ``minirun`` and ``python3`` on the PATH; sessions are played in it by bash,
one after the other. Read ``fence.py`` next.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from minirun.errors import MinirunError
from minirun.learn.fence import Fence
from minirun.learn.home import TIDY, environment, make_commands, tidy
from minirun.learn.materials import make_folder
from minirun.learn.sessions import Exchange, trimmed
from minirun.learn.stores import borrow
from minirun.spec import Memory, Pids, Resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.learn.chapter import Chapter
    from minirun.learn.sessions import Session
    from minirun.learn.stores import StoreAt

#: What all sessions of a chapter may use together; a virtual machine is among them.
LIMITS = Resources(memory=Memory(limit=3 << 30), pids=Pids(limit=4096))
SECONDS = 60.0
_HOME = "minirun-learn."


class Classroom:
    """``with Classroom(chapter, store) as room: room.play(session)``; nothing of it stays."""

    def __init__(self, chapter: Chapter, store: StoreAt, place: str | None = None) -> None:
        self.chapter = chapter
        self.place = place
        self.store = store
        self.fence = Fence(LIMITS)

    def __enter__(self) -> Classroom:
        place = self.place or tempfile.gettempdir()
        _sweep(Path(place))
        self.home = Path(tempfile.mkdtemp(prefix=f"{_HOME}{os.getpid()}.", dir=place))
        try:
            self.home.chmod(0o711)  # the root of a user namespace is nobody here, and has to pass
            self.folder = self.home / self.chapter.slug
            borrow(self.store, self.home / "root")
            make_folder(self.chapter, self.store.root, self.folder)
            make_commands(self.home)
            self.fence.__enter__()
        except BaseException:
            shutil.rmtree(self.home)
            raise
        try:
            self.fence.host.inside(_forward, "net")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if (self.home / "state").exists():
                self._run(TIDY)
        finally:
            try:
                self.fence.__exit__()
            finally:
                shutil.rmtree(self.home)

    def play(self, session: Session, seconds: float = SECONDS) -> list[Exchange]:
        """The session's commands with what they really print. Raises MinirunError if it takes too long."""
        mark = f"minirun-{os.getpid()}-{time.monotonic_ns()}"
        script = "".join(f"{one.command}\nprintf '\\n%s %d\\n' {mark} $?\n" for one in session.exchanges)
        said = self._run(script, seconds)
        happened = []
        for one in session.exchanges:
            output, found, said = said.partition(f"\n{mark} ")
            code, _, said = said.partition("\n")
            lines = tuple(trimmed(output.split("\n")))
            happened.append(Exchange(command=one.command, output=lines, code=int(code) if found else -1))
        return happened

    def _run(self, script: str, seconds: float = SECONDS) -> str:
        """What a fresh bash prints, stdout and stderr together; what it started is killed."""
        reading, writing = os.pipe()
        file = self.home / "session.sh"
        file.write_text(script)
        bash = self.fence.popen(
            ["bash", "--norc", str(file)],
            str(self.folder),
            environment(self.home),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
        )
        os.close(writing)
        said = b""
        deadline = time.monotonic() + seconds
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            while bash.poll() is None or select.select([pipe], [], [], 0)[0]:
                if select.select([pipe], [], [], 0.02)[0]:
                    if not (block := pipe.read(65536)):
                        break
                    said += block
                if time.monotonic() > deadline:
                    self._end(bash)
                    raise MinirunError(
                        f"the session did not end within {seconds:g} s",
                        f"it said: {said.decode(errors='replace')[-2000:]}",
                        "a session takes a few seconds, and reads nothing from its stdin",
                    )
        self._end(bash)
        text = said.decode(errors="replace").replace(f"{file}: line ", "bash: line ")
        return _without_line_numbers(text)

    def _end(self, bash: subprocess.Popen[bytes]) -> None:
        """Kills the session's background programs: what is in bash's own session(7) still."""
        while left := [pid for pid in self.fence.processes() if _session_of(pid) == bash.pid]:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            bash.poll()
            time.sleep(0.002)  # a killed process that is no child of ours ends when it ends
        bash.wait()


def _session_of(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0


def _without_line_numbers(text: str) -> str:
    """bash tells where in our script a command stood; at a prompt it would not."""
    import re

    return re.sub(r"^bash: line \d+: ", "bash: ", text, flags=re.MULTILINE)


def _sweep(place: Path) -> None:
    """Takes away the homes of classrooms that were killed, with the containers in their stores."""
    for home in place.glob(f"{_HOME}*.*"):
        if os.path.exists(f"/proc/{home.name.removeprefix(_HOME).partition('.')[0]}"):
            continue
        tidy(home)
        shutil.rmtree(home, ignore_errors=True)


def _forward() -> None:
    """As on a machine that has had a container on a network before: minirun says so only once."""
    for place in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        with contextlib.suppress(OSError):
            Path("/proc/sys/net", place).write_text("1")


def differences(session: Session, happened: Sequence[Exchange], names: dict[str, str]) -> list[str]:
    """Where what happened differs from the session; empty if it does not. Adds to ``names``."""
    from minirun.learn import matching

    said: list[str] = []
    for one, real in zip(session.exchanges, happened, strict=True):
        bound = matching.match(one.output, real.output, names)
        if bound is not None:
            names.update(bound)
        if bound is None or one.code != real.code:
            said.append(f"$ {one.command}")
        if bound is None:
            said += matching.difference(one.output, real.output, names)
        if one.code != real.code:
            ended = "bash ended before it" if real.code == -1 else f"exit code {real.code}"
            said.append(f"  expected exit code {one.code}, came: {ended}")
    return said
