"""/proc: files that are questions to the kernel, and commands.

Layer: linux, the bottom. A container's /proc may be anything that an image or
a volume put there, and a write that goes into a plain file changes nothing:
so every file here is opened first, then asked whether it is a real procfs
(fstatfs(2)), and only then read or written. See proc(5).
"""

from __future__ import annotations

import ctypes
import errno
import os

from minirun.linux.libc import checked, libc
from minirun.steps import syscall

_PROC_SUPER_MAGIC = 0x9FA0


@syscall("write", "proc(5)", show=lambda path, text: f'write("{path}", "{_one_line(text)}")')
def write(path: str, text: str) -> None:
    """Writes ``text`` to the procfs file ``path`` in one write(2).

    Raises OSError with ``path``; ENOTTY says that it is no file of a procfs.
    """
    fd = _open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(fd)


def read(path: str) -> str:
    """What the procfs file ``path`` says. Raises as ``write`` does."""
    fd = _open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        # A process names itself as it likes: prctl(2), PR_SET_NAME.
        return b"".join(parts).decode(errors="replace")
    finally:
        os.close(fd)


def status(pid: int | str = "self") -> dict[str, str]:
    """/proc/PID/status as a table: ``{"CapEff": "00000000a80425fb", ...}``."""
    lines = (line.partition(":") for line in read(f"/proc/{pid}/status").splitlines())
    return {name: value.strip() for name, _, value in lines}


def sysctl_path(name: str) -> str:
    """The file behind a sysctl, from ``net.ipv4.ip_forward`` or ``net/ipv4/ip_forward``.

    Whichever of ``.`` and ``/`` comes first is the separator; the other one
    then is the dot inside a name, as in ``net/ipv4/conf/eth0.1`` (sysctl.d(5)).
    """
    first = next((sign for sign in name if sign in "./"), ".")
    return "/proc/sys/" + (name if first == "/" else name.translate({46: "/", 47: "."}))


@syscall("write", "proc(5)", show=lambda name, value: f'write("{sysctl_path(name)}", "{_one_line(value)}")')
def write_sysctl(name: str, value: str) -> None:
    """Sets the sysctl ``name`` for the namespaces of the caller, and reads it back.

    The kernel answers for the namespaces that the caller stands in, whichever
    procfs it asks. Raises OSError with the path; ERANGE when the kernel holds
    another number afterwards.
    """
    path = sysctl_path(name)
    write(path, value)
    held = _held(path)
    if held is not None and _differ(value, held):
        error = OSError(errno.ERANGE, os.strerror(errno.ERANGE), path)
        raise _explained(error, f"the kernel made {' '.join(held.split())!r} of it")


def _held(path: str) -> str | None:
    """What a sysctl says now; None for one that can only be written (route/flush)."""
    try:
        return read(path)
    except OSError:
        return None


def _differ(asked: str, held: str) -> bool:
    """Whether two lists of numbers differ. Words are not compared: the kernel rewrites
    lists of ports, keys and names into forms of its own."""
    try:
        return [int(word, 0) for word in asked.split()] != [int(word, 0) for word in held.split()]
    except ValueError:
        return False


def _open(path: str, mode: int) -> int:
    fd = os.open(path, mode | os.O_CLOEXEC)
    if not _is_procfs(fd):
        os.close(fd)
        error = OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), path)
        raise _explained(error, "this is not a file of a procfs: mount one at /proc, and nothing above it")
    return fd


def _explained(error: OSError, remedy: str) -> OSError:
    error.remedy = remedy  # type: ignore[attr-defined]  # steps.hint looks for it
    return error


def _is_procfs(fd: int) -> bool:
    # struct statfs begins with f_type, a long; 120 bytes on 64-bit machines.
    answer = ctypes.create_string_buffer(256)
    checked(libc.fstatfs(fd, answer))
    return int.from_bytes(answer.raw[:4], "little") == _PROC_SUPER_MAGIC


def _one_line(text: str) -> str:
    return text.rstrip("\n").replace("\n", "\\n")
