"""One try of a learner's program, for a check to look at while it runs.

Layer ``learn``. A ``check.py`` has ``check(attempt)``; it starts the program by
``run`` (to its end) or ``running`` (until the command inside has begun), looks
at the kernel, and says what it ``expect``s. Everything is inside a ``Fence``.
Read ``checking.py`` next.

    def check(attempt: Attempt) -> None:
        with attempt.running() as inside:
            attempt.expect(
                inside.namespace("uts") != attempt.host.namespace("uts"), "still-in-hosts-uts", pid=inside.pid
            )
        attempt.expect(not attempt.left_behind(), "left-behind", what=attempt.left_behind())
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from minirun.learn import streams
from minirun.learn.fence import Fence
from minirun.learn.home import tidy
from minirun.learn.looking import Done, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minirun.learn.fence import Left

#: How long, in seconds, a command may take to begin, and a program to end after its command has.
BEGIN = 20.0
END = 5.0
_INTERVAL = 0.01
#: What a shell may call itself, in whatever root file system.
_SHELLS = ("sh", "ash", "bash", "dash", "busybox")
_FOLDER = ".attempt."
_UNSOLVED = "NotImplementedError"


class Wrong(Exception):
    """An expectation that does not hold: the key of its message, and what to put into it."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = values


class Attempt:
    """``with Attempt(program, rootfs) as attempt``: the program can be run, and leaves nothing."""

    def __init__(self, program: Path, rootfs: Path, files: Sequence[Path] = ()) -> None:
        self.program = program.resolve()
        self._lent = rootfs
        self._files = files
        self._count = 0
        self.fence = Fence()

    def __enter__(self) -> Attempt:
        # Beside the rootfs, so that both are on one file system, which an overlay can write to.
        _sweep(self._lent.parent)
        prefix = f"{_FOLDER}{os.getpid()}."
        self.folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._lent.parent))
        try:
            self.folder.chmod(0o711)
            self.rootfs = self.folder / "rootfs"
            subprocess.run(["cp", "-a", str(self._lent), str(self.rootfs)], check=True)
            for file in self._files:
                shutil.copy(file, self.folder / file.name)
            self.fence.writable = (tempfile.gettempdir(), "/run", str(self.folder))
            self.fence.__enter__()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        self.host: Process = self.fence.host
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.fence.__exit__()
        finally:
            shutil.rmtree(self.folder)

    # --- running the program ------------------------------------------------

    def run(self, *words: str, input: str = "", timeout: float = 20.0) -> Done:
        """Runs ``PROGRAM WORDS`` in a folder with ./rootfs, to its end.

        Raises Wrong: too-long after ``timeout`` seconds, not-implemented for the form as it was given.
        """
        with streams.files(input) as (given, out, err):
            started = self._start(words, stdin=given, stdout=out, stderr=err)
            try:
                code = started.wait(timeout)
            except subprocess.TimeoutExpired:
                self.fence.kill()
                raise Wrong("too-long", seconds=f"{timeout:g}", **self.named(words)) from None
            done = Done(code=128 - code if code < 0 else code, out=streams.text(out), err=streams.text(err))
        if streams.last_line(done.err).startswith(_UNSOLVED):
            raise self._ended(done.code, done.err, words)
        return done

    def output(self, *words: str, timeout: float = 20.0) -> str:
        """What ``PROGRAM WORDS`` writes, for a program that has to end well.

        Raises Wrong: too-long, not-implemented, crashed.
        """
        done = self.run(*words, timeout=timeout)
        if done.code:
            raise self._ended(done.code, done.err, words)
        return done.out

    def numbers(self, *words: str, least: int = 0) -> list[int]:
        """The numbers that ``PROGRAM WORDS`` writes, ``least`` of them or more.

        Raises Wrong: no-numbers, and as ``output``.
        """
        said = self.output(*words)
        found = said.split()
        if len(found) < least or not all(word.lstrip("-").isdecimal() for word in found):
            raise Wrong("no-numbers", said=said.strip() or "nothing", **self.named(words))
        return [int(word) for word in found]

    @contextlib.contextmanager
    def running(self, *words: str, bare: bool = False, timeout: float = BEGIN) -> Iterator[Process]:
        """Runs ``PROGRAM WORDS PROBE`` and gives the process of PROBE, a command of the checker's own.

        Without ``words`` it is ``PROGRAM run ROOTFS PROBE``; with ``bare``, ``PROGRAM
        PROBE``. The probe says when it has begun, and is there until the block
        ends; then the program has time to end too. Raises Wrong: crashed, silent,
        never-ready, output-lost, not-implemented.
        """
        words = words if words or bare else ("run", str(self.rootfs))
        self._count += 1
        token = f"probe-{secrets.token_hex(4)}-{self._count}"
        # A shell waits, as itself: its words are how it is found. What follows keeps it from exec.
        probe = ("sh", "-c", f"echo {token}; read end || sleep 1000; : done")
        line = (*words, *probe)
        with tempfile.TemporaryFile() as err:
            started = self._start(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
            assert started.stdin and started.stdout
            with started.stdin, started.stdout:
                self._await(started, token, probe, line, err, time.monotonic() + timeout)
                self.fence.look()
                yield self._find(probe, line)
                self.fence.look()
                with contextlib.suppress(BrokenPipeError):
                    started.stdin.write(b"\n")
                    started.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(END)
                    return
                self.fence.kill()

    @contextlib.contextmanager
    def started(self, *words: str, input: str = "") -> Iterator[Process]:
        """Starts ``PROGRAM WORDS`` and gives the process of the program itself; at the end all is killed."""
        with streams.files(input) as (given, out, err):
            started = self._start(words, stdin=given, stdout=out, stderr=err)
            self.out: Callable[[], str] = lambda: streams.text(out)
            yield Process(started.pid)
            self.fence.kill()

    def until(self, holds: Callable[[], Any], key: str, seconds: float = 5.0, **values: object) -> Any:
        """What ``holds`` gives as soon as it is true. Raises Wrong(key) if it is not within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            if time.monotonic() > deadline:
                raise Wrong(key, seconds=f"{seconds:g}", **values)
            time.sleep(_INTERVAL)  # ``holds`` may look at anything
        return found

    def on_host(self, *words: str, timeout: float = 10.0) -> Done:
        """Runs a program of the machine's where the learner's was started, outside of its container."""
        return self.host.run(*words, within=",".join(self.fence.kinds), timeout=timeout)

    # --- judging it ---------------------------------------------------------

    def expect(self, truth: object, key: str, **values: object) -> None:
        """Goes on if ``truth`` holds. Raises Wrong: the message ``key``, filled with ``values``."""
        if not truth:
            raise Wrong(key, **values)

    def left_behind(self, seconds: float = 1.0) -> Left:
        """What is there that was not there before the attempt: mounts, cgroups, links, processes.

        False if nothing is. The kernel takes things down after a process's
        end, so it is asked again for up to ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while (left := self.fence.left()) and time.monotonic() < deadline:
            time.sleep(_INTERVAL)  # see above
        return left

    def named(self, words: Sequence[str]) -> dict[str, object]:
        """The program, and the line that ran it, as the general messages want them."""
        import shlex

        program = self.program.name
        line = [f"python3 {program}" if self.program.suffix == ".py" else f"./{program}"]
        places = {str(self.rootfs): "rootfs"}
        line += [shlex.quote(places.get(word, word)) for word in words]
        return {"program": program, "line": f"`{' '.join(line)}`"}

    # --- how ----------------------------------------------------------------

    def _start(self, words: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self.folder),  # the chapter's scripts, which a program may import
        }
        try:
            return self.fence.popen([*self._command(), *words], str(self.folder), environment, **streams)
        except (OSError, subprocess.SubprocessError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise Wrong("does-not-start", why=why, **self.named(words)) from error

    def _command(self) -> list[str]:
        if self.program.suffix == ".py":
            return [os.path.realpath(sys.executable), str(self.program)]
        return [str(self.program)]

    def _await(
        self,
        started: subprocess.Popen[bytes],
        token: str,
        probe: Sequence[str],
        line: Sequence[str],
        err: IO[bytes],
        deadline: float,
    ) -> None:
        """Until the probe has said its token."""
        said = b""
        assert started.stdout
        while token.encode() not in said:
            if time.monotonic() > deadline:
                found = self._probes(probe)
                self.fence.kill()
                key = "output-lost" if found else "never-ready"
                raise Wrong(key, seconds=f"{BEGIN:g}", **self.named(line))
            ready = select.select([started.stdout], [], [], 0.05)[0]
            block = os.read(started.stdout.fileno(), 65536) if ready else b""
            said = (said + block)[-streams.MOST :]
            if not block and started.poll() is not None and (ready or not self.fence.processes()):
                raise self._ended(started.returncode, said.decode(errors="replace") + streams.text(err), line)

    def _ended(self, code: int, said: str, line: Sequence[str]) -> Wrong:
        """The message for a program that was not to end, or not like this."""
        code = 128 - code if code < 0 else code
        last = streams.last_line(said) or "nothing"
        if last.startswith(_UNSOLVED):
            return Wrong("not-implemented", said=last, code=code, **self.named(line))
        return Wrong("crashed" if code else "silent", code=code, said=last, **self.named(line))

    def _find(self, probe: Sequence[str], line: Sequence[str]) -> Process:
        found = self._probes(probe)
        if not found:
            raise Wrong("vanished", why="the command ended", **self.named(line))
        return found[-1]

    def _probes(self, probe: Sequence[str]) -> list[Process]:
        """The processes that have become the probe: its words are theirs, as a whole."""
        found = []
        for pid in sorted(self.fence.processes()):
            with contextlib.suppress(OSError):
                words = Process(pid).words()
                if words[-2:] == list(probe[-2:]) and os.path.basename(words[0]) in _SHELLS:
                    found += [Process(pid)] if len(words) <= len(probe) + 1 else []
        return found


def _sweep(place: Path) -> None:
    """Removes the folders of attempts whose checker was killed."""
    for folder in place.glob(f"{_FOLDER}*"):
        if not os.path.exists(f"/proc/{folder.name.removeprefix(_FOLDER).partition('.')[0]}"):
            tidy(folder)
            shutil.rmtree(folder, ignore_errors=True)


__all__ = ["Attempt", "Done", "Process", "Wrong"]
