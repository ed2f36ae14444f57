"""Finding the program, inside the container's root, before it is ready.

Layer ``container``. Follows execvp(3) and what docker's users expect: a name
without a slash is looked up in the container's PATH, a missing one is exit
code 127, one that cannot be executed 126. The first line of a script is read
too, because "no such file" about a file that is there is execve(2)'s way of
saying that its *interpreter* is missing.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.errors import NotExecutable, ProgramNotFound, StepFailed, reason
from minirun.linux import process
from minirun.linux.path import Resolve, openat2
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

#: Where --init puts our init: /dev is a tmpfs, so it leaves no trace in the upperdir.
INIT = "/dev/minirun-init"
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHEBANG_MAX = 256  # BINPRM_BUF_SIZE of <linux/binfmts.h>


@syscall("mkdir")
def make_directory(path: str) -> None:
    """Makes ``path`` and what is missing above it; call it inside the container's root."""
    os.makedirs(path, 0o755, exist_ok=True)


@syscall("chdir")
def enter_directory(path: str) -> None:
    """chdir(2). Raises StepFailed when it fails, and when that led out of the root.

    The kernel then reports a path without a leading slash (getcwd(3)): CVE-2024-21626.
    """
    try:
        os.chdir(path)
    except OSError as error:
        raise StepFailed(
            f"cannot enter the working directory {path}",
            f"in the container: {error.strerror}",
            "make it, or choose another --workdir",
        ) from error
    if not os.getcwd().startswith("/"):
        raise StepFailed(
            f"cannot enter the working directory {path}",
            "it lies outside the container's root",
            "choose another --workdir",
        )


def _show_find(args: Sequence[str], env: Sequence[str], cwd: str) -> str:
    return f'openat2("{args[0]}", RESOLVE_NO_MAGICLINKS) along PATH={_search_path(env)}'


@syscall("openat2", show=_show_find)
def find(args: Sequence[str], env: Sequence[str], cwd: str) -> str:
    """The path of the program ``args[0]``; call it inside the container's root.

    Raises ProgramNotFound (127) or NotExecutable (126), saying which part is
    missing. /proc's magic links are not followed: through /proc/self/exe an
    image could make us execute, and then overwrite, our own interpreter
    (CVE-2019-5736).
    """
    name = args[0]
    if "/" in name:
        _check(name, os.path.join(cwd, name))
        return name
    refused: NotExecutable | None = None
    for directory in _search_path(env).split(":"):
        path = os.path.join(cwd, directory, name)
        try:
            _check(name, path)
            return path
        except ProgramNotFound:
            continue
        except NotExecutable as error:
            refused = refused or error
    raise refused or ProgramNotFound(
        f"cannot run '{name}': no such program in the container",
        f"not in its PATH ({_search_path(env)})",
        "give the path, install it in the image, or check the spelling",
    )


@syscall("execve", show=process.show_execve)
def become(path: str, args: Sequence[str], env: Sequence[str]) -> NoReturn:
    """execve(2). Raises NotExecutable (126) for what only the kernel can tell."""
    try:
        process.execve(path, args, env)
    except OSError as error:
        raise _refused(path, args[0], error) from error


def _refused(path: str, name: str, error: OSError) -> NotExecutable:
    if error.errno == errno.ENOEXEC:
        why = "it is built for another processor, or damaged"
        return NotExecutable(
            f"cannot run '{name}': exec format error", f"{path}: {why}", "use an image for this architecture"
        )
    if error.errno == errno.EACCES:
        return NotExecutable(
            f"cannot run '{name}': permission denied",
            f"{path}: its mode does not let this user execute it, or it lies on a noexec mount",
            "chmod +x it, choose another --user, or mount it without noexec",
        )
    if error.errno == errno.E2BIG:
        return NotExecutable(
            f"cannot run '{name}'",
            "its arguments and environment are longer than the kernel takes",
            "pass a part of them in a file",
        )
    return NotExecutable(f"cannot run '{name}'", reason(error), "see execve(2)")


def _search_path(env: Sequence[str]) -> str:
    return next((item[5:] for item in env if item.startswith("PATH=")), _DEFAULT_PATH)


def _check(name: str, path: str) -> None:
    try:
        found = openat2(_ROOT, path, os.O_PATH, resolve=Resolve.NO_MAGICLINKS)
    except OSError as error:
        raise _not_found(name, path, error) from error
    try:
        mode = os.fstat(found).st_mode
        if stat.S_ISDIR(mode):
            raise NotExecutable(f"cannot run '{name}'", f"{path} is a directory", "name a program")
        if not stat.S_ISREG(mode) or not mode & 0o111:
            raise NotExecutable(
                f"cannot run '{name}': permission denied",
                f"{path} is not an executable file (mode {stat.S_IMODE(mode):04o})",
                f"chmod +x {path} in the image, or run it with an interpreter: sh {name}",
            )
        _check_first_line(name, path)
    finally:
        os.close(found)


_ROOT = -100  # AT_FDCWD


def _not_found(name: str, path: str, error: OSError) -> ProgramNotFound | NotExecutable:
    if error.errno == errno.ELOOP:
        return NotExecutable(
            f"cannot run '{name}'",
            f"{path} is a loop of links, or a link of /proc that leads out of the container",
            "name the program itself",
        )
    if error.errno == errno.EACCES:
        return NotExecutable(f"cannot run '{name}'", f"{path}: permission denied", "check its folder")
    return ProgramNotFound(
        f"cannot run '{name}': no such program in the container",
        f"{path}: {error.strerror}",
        "check the path and the image",
    )


def _check_first_line(name: str, path: str) -> None:
    """A script names an interpreter; a binary's loader is the kernel's to name."""
    try:
        with open(path, "rb") as file:
            start = file.read(_SHEBANG_MAX)
    except PermissionError:
        return  # executable but not readable: only the kernel can tell
    if start.startswith(b"\x7fELF"):
        _check_loader(name, path, start)
        return
    if not start.startswith(b"#!"):
        if start.strip():
            raise NotExecutable(
                f"cannot run '{name}': exec format error",
                f"{path} is neither an ELF binary nor a script that begins with #!",
                "begin the script with #!/bin/sh, or use an image for this architecture",
            )
        raise NotExecutable(f"cannot run '{name}'", f"{path} is empty", "rebuild the image")
    line = start[2:].partition(b"\n")[0]
    interpreter = os.fsdecode(line.strip(b" \t").split(b" ")[0].split(b"\t")[0])
    if interpreter.endswith("\r"):
        raise NotExecutable(
            f"cannot run '{name}': its lines end with CR LF",
            f"the kernel looks for an interpreter named {interpreter!r}",
            f"convert it: sed -i 's/\\r$//' {path}",
        )
    if not _exists(interpreter):
        raise NotExecutable(
            f"cannot run '{name}': its interpreter is missing",
            f"{path} begins with #!{interpreter}, which the container does not have",
            f"install {interpreter} in the image, or change the first line",
        )


def _check_loader(name: str, path: str, start: bytes) -> None:
    """Says when a dynamic program's loader (PT_INTERP) is not in the image."""
    loader = _elf_interpreter(path, start)
    if loader and not _exists(loader):
        raise NotExecutable(
            f"cannot run '{name}': its loader is missing",
            f"{path} needs {loader}, which the container does not have",
            "use a statically linked program, or an image with that C library",
        )


def _elf_interpreter(path: str, start: bytes) -> str:
    """PT_INTERP of a 64-bit little-endian ELF file, "" where there is none; elf(5)."""
    import struct

    if len(start) < 64 or start[4] != 2 or start[5] != 1:
        return ""
    offset = struct.unpack_from("<Q", start, 32)[0]
    size, count = struct.unpack_from("<HH", start, 54)
    with open(path, "rb") as file:
        file.seek(offset)
        headers = file.read(size * count)
        for at in range(0, len(headers) - size + 1, size):
            kind, _, where, _, _, length = struct.unpack_from("<IIQQQQ", headers, at)
            if kind == 3:  # PT_INTERP
                file.seek(where)
                return os.fsdecode(file.read(min(length, 4096)).rstrip(b"\0"))
    return ""


def _exists(path: str) -> bool:
    try:
        os.close(openat2(_ROOT, path, os.O_PATH, resolve=Resolve.NO_MAGICLINKS))
    except OSError:
        return False
    return True
