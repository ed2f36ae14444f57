"""AppArmor's files: is it on, which profiles it has, and one by name for the next execve(2).

Layer: linux, the bottom. ``isolation/apparmor`` asks for it, read it next.
See apparmor(7), and Documentation/admin-guide/LSM/apparmor.rst of the kernel.
"""

from __future__ import annotations

import errno
import os

from minirun.errors import StepFailed
from minirun.linux import procfs
from minirun.steps import syscall

#: A directory of its own: attr/exec itself is the first security module's only.
_ATTRIBUTES = "/proc/self/attr/apparmor"
_EXEC = f"{_ATTRIBUTES}/exec"
_PROFILES = "/sys/kernel/security/apparmor/profiles"
_PARSERS = ("/usr/sbin/apparmor_parser", "/sbin/apparmor_parser")


def enabled() -> bool:
    """Whether the running kernel has AppArmor, and it is on."""
    try:
        with open("/sys/module/apparmor/parameters/enabled", "rb") as file:
            return file.read(1) == b"Y"
    except OSError:
        return False


def has_interface() -> bool:
    """Whether its files in securityfs can be seen; not so inside most containers."""
    return os.path.exists(_PROFILES)


def parser() -> str:
    """The program that compiles and loads profiles; "" where it is not installed."""
    return next((path for path in _PARSERS if os.access(path, os.X_OK)), "")


def current() -> str:
    """The profile that the caller is confined by, or ``unconfined``."""
    return _without_mode(procfs.read(f"{_ATTRIBUTES}/current"))[0]


def profiles() -> dict[str, str] | None:
    """The loaded ones, each with its mode (enforce, complain ...); None if the caller may not ask."""
    try:
        with open(_PROFILES, encoding="utf-8", errors="surrogateescape") as file:
            return dict(map(_without_mode, file))
    except OSError:
        return None


def _without_mode(line: str) -> tuple[str, str]:
    """``NAME (enforce)`` in two; a name may have blanks, and ``unconfined`` comes without a mode."""
    name, _, mode = line.rstrip("\0\n").partition(" (")
    return name, mode.rstrip(")")


@syscall("posix_spawn", "apparmor_parser(8)", show=lambda name, text: f"{_shown(text)} # {name}")
def load(name: str, text: str) -> bool:
    """Loads the profile ``name``, which is all that ``text`` has; False if it is there already.

    Raises StepFailed with the words of apparmor_parser, which does the work.
    """
    if name in (profiles() or {}):
        return False
    status, words = _run([parser() or _PARSERS[0], "--replace", "--quiet"], text)
    if status:
        raise StepFailed(
            f"cannot load the AppArmor profile {name}",
            f"apparmor_parser: {' '.join(words.split()) or f'exit status {status}'}",
            "correct that, or do without: --security-opt apparmor=unconfined",
        )
    return True


def _shown(text: str) -> str:
    return f'posix_spawn("{_PARSERS[0]}", ["apparmor_parser", "--replace", "--quiet"]) < {len(text)} bytes'


def _run(command: list[str], stdin: str) -> tuple[int, str]:
    """The exit status of ``command``, and what it said; a text below 64 KiB fits into the pipe."""
    reading, text = os.pipe()
    answer, writing = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, reading, 0), *((os.POSIX_SPAWN_DUP2, writing, fd) for fd in (1, 2))]
    try:
        pid = os.posix_spawn(command[0], command, {"PATH": "/usr/sbin:/usr/bin"}, file_actions=actions)
    except OSError as error:
        os.close(answer)
        return error.errno or 1, f"{command[0]}: {error.strerror}"
    else:
        os.write(text, stdin.encode())
    finally:
        for fd in (reading, text, writing):
            os.close(fd)
    with os.fdopen(answer, errors="replace") as file:
        words = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), words


@syscall("write", "apparmor(7)", show=lambda profile: f'write("{_EXEC}", "exec {profile}")')
def change_on_exec(profile: str) -> None:
    """Asks for ``profile`` from the next execve(2) on. Raises OSError; ENOENT: it is not loaded."""
    try:
        procfs.write(_EXEC, f"exec {profile}")
    except OSError as error:
        error.remedy = {  # type: ignore[attr-defined]  # steps.hint looks for it
            errno.ENOENT: "no such profile is loaded: apparmor_parser -r FILE",
            errno.EACCES: "the profile that minirun itself is confined by does not let it change to that one",
        }.get(error.errno or 0, "")
        raise


@syscall("read", "apparmor(7)", show=lambda: f'read("{_EXEC}")')
def on_exec() -> str:
    """What the kernel will do at the next execve(2): a profile, and its mode in parentheses."""
    return procfs.read(_EXEC).rstrip("\0\n")
