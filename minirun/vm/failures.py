"""What can go wrong in a guest, as the errors that the user reads.

Layer ``vm``, pure: from the console's last lines, or from what our init told,
to what failed, why, and what to do. Part of ``session.py``.
"""

from __future__ import annotations

import errno
import os
import re
import signal

from minirun.errors import MinirunError, NotExecutable, ProgramNotFound, StepFailed, printable


class DidNotComeUp(MinirunError):
    """The machine ended, or was given up, before its first process was ready."""


class Killed(MinirunError):
    """A signal has ended the hypervisor: 128 + its number, as of a program that died so."""

    def __init__(self, number: int) -> None:
        super().__init__(
            "the virtual machine was switched off",
            f"its hypervisor got {signal.Signals(number).name}: from `minirun vm stop`, or somebody's kill",
            "if it was neither, look at dmesg: the host may have been short of memory",
        )
        self.exit_code = 128 + number


def of_last_words(words: str, complaints: str) -> MinirunError:
    """The error for a machine that ended by itself.

    ``words`` are what is kept of the console; ``complaints`` is what the
    hypervisor wrote on its stderr.
    """
    lines = [line for line in words.split("\n") if line]
    for number, line in reversed(list(enumerate(lines))):
        _, found, said = line.partition("Kernel panic - not syncing: ")
        if found:  # behind it there are pages of functions and registers
            return MinirunError(
                "the guest's kernel panicked",
                f"{said}; its last words:{_quoted(lines[max(number - _BEFORE, 0) :][:_SHOWN])}",
                "give it more --memory, or another --kernel; --console shows the whole boot",
            )
    ours = re.search(r"^minirun: (?!milestone)(.*)", "\n".join(lines[-40:]), re.MULTILINE)
    if ours:
        return MinirunError(
            "the guest could not be brought up",
            ours[1],
            "try another --kernel (minirun vm kernel ls); --console shows the whole boot",
        )
    if complaints:
        what = "the hypervisor gave up"
        remedy = "minirun doctor says what this host can do"
        if os.strerror(errno.ENOMEM) in complaints or "phys-bits too low" in complaints:
            remedy = "give it less --memory: the host cannot let it have so much"
        return MinirunError(what, " ".join(complaints.split()), remedy)
    return MinirunError(
        "the virtual machine ended before its program did",
        f"it was killed or switched off{'; its last words:' + _quoted(lines[-_SHOWN:]) if lines else ''}",
        "--console shows what its kernel says",
    )


#: How many lines of the console are in an error, and how many of them come before a panic.
_SHOWN, _BEFORE = 12, 4


def _quoted(lines: list[str]) -> str:
    return "".join(f"\n       | {line}" for line in lines)


def never_ready(timeout: float, words: str) -> MinirunError:
    """The error for a guest that did not say its first word within ``timeout`` seconds."""
    said = words.replace("\n", " | ") if words else "nothing"
    return DidNotComeUp(
        f"the guest did not come up within {timeout:.0f} seconds",
        f"its console said last: {said}",
        "--console shows the whole boot; --accel tcg, if KVM is there but does not work",
    )


def nonsense(said: str) -> MinirunError:
    """The error for a guest that does not keep to what is agreed between it and the host."""
    return MinirunError(
        "the guest said what was not agreed",
        f"it sent {said}: not minirun's own first process, or a hostile guest",
        "the machine was ended; if it was not meant to happen, report this",
    )


def of_operation(told: str) -> MinirunError:
    """The error for an operation that failed in the guest: ``ERRNO NAME ARGUMENTS``."""
    number, _, what = printable(told).partition(" ")
    known = number.isdigit() and int(number) in errno.errorcode
    why = os.strerror(int(number)) if known else "it said no more"
    name, _, rest = what.partition(" ")
    if name == "exec" and known:
        return _not_started(int(number), rest)
    if name == "cwd":
        return StepFailed(
            f"cannot enter the working directory {rest}", f"in the guest: {why}", "choose another --workdir"
        )
    return StepFailed(
        f"the guest could not do: {what.strip()}",
        why,
        "--console shows what its kernel says about it",
    )


def _not_started(number: int, program: str) -> MinirunError:
    if number == errno.ENOENT:
        return ProgramNotFound(
            f"cannot run '{program}': no such program in the virtual machine",
            "it is not in the image, or not in its PATH",
            "give the path, install it in the image, or check the spelling",
        )
    if number == errno.ELIBACC:
        return NotExecutable(
            f"cannot run '{program}': its interpreter or loader is missing",
            "the file is there, but what its first line or its ELF header asks for is not",
            "install that in the image, or use a statically linked program",
        )
    hints = {
        errno.EACCES: "chmod +x it, or choose another --user",
        errno.ENOEXEC: "use an image for this architecture; begin a script with #!/bin/sh",
        errno.E2BIG: "pass a part of its arguments and environment in a file",
    }
    return NotExecutable(
        f"cannot run '{program}': {os.strerror(number).lower()}",
        "the guest's kernel refused to execute it",
        hints.get(number, "see execve(2)"),
    )
