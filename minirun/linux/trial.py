"""Trying something out: done in a forked child, so that nothing of it stays.

Layer: linux. A namespace, a mount or a filter cannot be taken off again; a
child that dies takes them along. ``container/doctor`` asks the kernel with it
what it can do, and the tests watch what a step does. See fork(2).
"""

from __future__ import annotations

import errno
import os

from minirun.linux import mount, process, procfs
from minirun.linux.libc import raw
from minirun.linux.namespace import CloneFlag, unshare
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class TrialFailed(Exception):
    """What the child raised, in words; ``errno`` where it was an OSError."""

    def __init__(self, text: str, errno: int = 0) -> None:
        super().__init__(text)
        self.errno = errno


def in_child(function: Callable[[], Any]) -> Any:
    """What ``function`` gives when a forked child calls it, as JSON can carry it.

    Raises TrialFailed with what the child raised. Not for the hot path.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _report(function, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    if not said:
        raise TrialFailed(f"the child said nothing and ended with status {status:#x}")
    return _result(said)


def _report(function: Callable[[], Any], writing: int) -> None:
    """The child: the outcome goes into the pipe, and then it ends whatever happened."""
    import json

    try:
        try:
            outcome = {"result": function()}
        except OSError as error:
            outcome = {"error": str(error), "errno": error.errno or 0}
        except BaseException as error:
            outcome = {"error": f"{type(error).__name__}: {error}", "errno": 0}
        os.write(writing, json.dumps(outcome).encode())
    finally:
        os._exit(0)


def _result(said: bytes) -> Any:
    import json

    outcome = json.loads(said)
    if "error" in outcome:
        raise TrialFailed(outcome["error"], outcome["errno"])
    return outcome["result"]


def knows(call: str) -> bool:
    """Whether the kernel has the system call ``call``, asked with arguments that are refused."""
    try:
        raw(call, -1, 0, 0, 0, 0)
    except OSError as error:
        return error.errno != errno.ENOSYS
    return True


def calls_by_int80() -> bool:
    """Whether 64-bit programs have the 32-bit system calls too; a kernel can be built or booted without."""
    if os.uname().machine != "x86_64":
        return False
    try:
        return bool(in_child(_getpid_by_int80))
    except TrialFailed:
        return False  # a signal ended it


def _getpid_by_int80() -> bool:
    import ctypes
    import mmap

    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(place)()) == os.getpid()


def be_born_in(cgroup: str) -> None:
    """Has a child born in the cgroup v2 directory ``cgroup``; it ends at once."""
    pid = process.clone3(CloneFlag(0), cgroup)
    if pid == 0:
        process.leave(0)
    os.waitpid(pid, 0)


def map_ids_of(path: str) -> None:
    """Makes an id-mapped copy of the mount at ``path``, and drops it. Needs root."""
    ready, say_ready = os.pipe()
    wait, say_done = os.pipe()

    def owner() -> None:
        unshare(CloneFlag.NEWUSER)
        os.close(say_done)
        os.write(say_ready, b"1")
        os.read(wait, 1)

    pid = process.fork(owner)
    try:
        os.close(say_ready)
        os.read(ready, 1)
        procfs.write(f"/proc/{pid}/uid_map", "0 100000 65536")
        procfs.write(f"/proc/{pid}/gid_map", "0 100000 65536")
        tree = mount.open_tree(path)
        mount.idmap(tree, f"/proc/{pid}/ns/user")
        os.close(tree)
    finally:
        for fd in (ready, wait, say_done):
            os.close(fd)
        os.waitpid(pid, 0)
