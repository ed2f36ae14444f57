"""The system call filter: which calls the container's programs may make.

On layer ``isolation``. A profile (OCI's JSON form, or our own default) is compiled to a BPF
program that the kernel runs before every call. ``steps`` is on the path of every start, so it
knows just enough to find the compiled program in the cache; the rest is imported on a miss:

    profile.py        our default, as commented data        start reading here
    rules.py          what a profile means, per call
    compiler.py       the tree: architecture, number, arguments, verdict
      arguments.py      64-bit conditions by 32-bit questions
      tree.py           few questions, each subtree once
      bpf.py            the tree as instructions, listing.py shows them
    architectures.py  tokens and tables of numbers
    cache.py          compiled programs as files

seccomp(2); config-linux.md, "Seccomp".
"""

from __future__ import annotations

import os

from minirun.errors import InvalidInput, Unsupported
from minirun.isolation.syscall_filter import cache as compiled
from minirun.linux import seccomp
from minirun.linux.seccomp import SeccompFlag
from minirun.steps import Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.spec import Seccomp, Spec

#: To be raised with every change to what the default profile compiles to: it is part of the name
#: under which the program is cached. A test holds the two together.
VERSION = 1

#: The capabilities on which the default profile depends: the keys of profile.CAPABILITY.
CONDITIONS = (
    "CAP_BPF",
    "CAP_DAC_READ_SEARCH",
    "CAP_PERFMON",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
)

_FLAGS = ("TSYNC", "LOG", "SPEC_ALLOW")


def steps(spec: Spec, cache: str) -> Iterator[Step]:
    """The last step before execve: the filter judges every call after it, execve included.

    ``cache`` is a directory for compiled programs; it need not exist nor be writable. Raises
    InvalidInput and Unsupported for a profile that makes no sense or asks for what is not there.
    Without no_new_privs seccomp(2) needs CAP_SYS_ADMIN: then the step goes before
    capabilities are dropped.
    """
    wanted = spec.linux.seccomp
    if wanted is None:
        return
    program = _program(wanted, spec.process.capabilities.bounding, cache)
    yield Step(
        "install the syscall filter",
        Call(seccomp.install, program, _flags(wanted)),
        why="root without capabilities still reaches the whole kernel: the filter closes the calls that "
        "no contained program needs, and stays through every execve",
        chapter="07",
    )


def _program(wanted: Seccomp, bounding: tuple[str, ...], cache: str) -> bytes:
    _refuse(wanted)
    if wanted.profile == "default":
        name = _default_name(bounding)
    else:
        name = _digest(wanted)
    program = compiled.load(cache, name)
    if program is None:
        from minirun.isolation.syscall_filter.compiler import compile_profile
        from minirun.isolation.syscall_filter.profile import default

        program = compile_profile(default(bounding) if wanted.profile == "default" else wanted)
        compiled.store(cache, name, program)
    return program


def _default_name(bounding: tuple[str, ...]) -> str:
    """``default-1-x86_64-SYS_CHROOT``: all that the default program depends on."""
    held = [name.removeprefix("CAP_") for name in CONDITIONS if name in bounding]
    return "-".join(("default", str(VERSION), os.uname().machine, *held))


def _digest(wanted: Seccomp) -> str:
    import hashlib

    text = f"{VERSION} {os.uname().machine} {wanted!r}"
    return f"oci-{VERSION}-{hashlib.sha256(text.encode()).hexdigest()}"


def sweep(cache: str) -> list[str]:
    """Removes from ``cache`` what another version compiled, and what was never finished; their paths."""
    return compiled.sweep(cache, (f"default-{VERSION}-{os.uname().machine}", f"oci-{VERSION}-"))


def _refuse(wanted: Seccomp) -> None:
    """Raises for what would otherwise be accepted and ignored."""
    if wanted.profile not in ("", "default"):
        raise InvalidInput(
            f"there is no seccomp profile {wanted.profile!r}", "minirun has one: default", "name a JSON file"
        )
    if wanted.profile and (wanted.syscalls or wanted.architectures):
        raise InvalidInput(
            "a seccomp profile is either the default or written out",
            "this one is both",
            "drop one of the two",
        )
    if wanted.listenerPath or wanted.listenerMetadata:
        raise Unsupported(
            "seccomp listenerPath is not supported",
            "nothing in minirun hands the listener of SCMP_ACT_NOTIFY to an agent",
            "leave listenerPath and listenerMetadata out",
        )


def _flags(wanted: Seccomp) -> SeccompFlag:
    flags = SeccompFlag(0)
    for name in wanted.flags:
        short = name.removeprefix("SECCOMP_FILTER_FLAG_")
        if name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
            raise Unsupported(
                f"seccomp flag {name} is not supported",
                "it is about SCMP_ACT_NOTIFY, which minirun does not have",
                "leave it out",
            )
        if short == name or short not in _FLAGS:
            known = ", ".join(f"SECCOMP_FILTER_FLAG_{flag}" for flag in _FLAGS)
            raise InvalidInput(
                f"seccomp flag {name!r} is unknown", "config-linux.md, Seccomp", f"one of {known}"
            )
        flags |= SeccompFlag[short]
    return flags
