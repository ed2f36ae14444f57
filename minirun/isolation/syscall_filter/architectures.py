"""What the filter must know of an architecture: its token, word order and numbers.

The kernel tells a filter by which convention a call came in (``arch``, an AUDIT_ARCH_* of
<linux/audit.h>): a 64-bit kernel takes 32-bit calls too, and their numbers mean other calls. So
a filter has a section for each. x32 shares x86_64's token and marks its numbers with bit 30.
Read rules.py next. seccomp(2), "struct seccomp_data".
"""

from __future__ import annotations

import os
import sys

from minirun.errors import Unsupported
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

_BITS64 = 0x80000000
_LITTLE = 0x40000000
_N32 = 0x20000000


class Architecture(Value):
    """``audit`` is the token, ``numbers`` the module of the table, ``base`` its number zero."""

    name: str
    audit: int
    numbers: str
    base: int = 0

    @property
    def bits(self) -> int:
        """How wide a register is; of a 32-bit one the upper word of an argument is zero."""
        return 64 if self.audit & _BITS64 else 32

    @property
    def little_endian(self) -> bool:
        """Whether the low word of an argument comes first."""
        return bool(self.audit & _LITTLE)

    def table(self) -> dict[str, int]:
        """Name -> number of every call."""
        from importlib import import_module

        runs = import_module(f"minirun.isolation.syscall_filter.numbers.{self.numbers}").RUNS
        table: dict[str, int] = {}
        number = 0
        for word in runs.split():
            if word.isdecimal():
                number = int(word)
            else:
                table[word] = self.base + number
                number += 1
        return table


# The first figure of each token is the ELF machine (EM_* of <linux/elf-em.h>).
ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture(name="SCMP_ARCH_X86_64", audit=62 | _BITS64 | _LITTLE, numbers="x86_64"),
        Architecture(name="SCMP_ARCH_X86", audit=3 | _LITTLE, numbers="x86"),
        Architecture(name="SCMP_ARCH_X32", audit=62 | _BITS64 | _LITTLE, numbers="x32", base=1 << 30),
        Architecture(name="SCMP_ARCH_AARCH64", audit=183 | _BITS64 | _LITTLE, numbers="aarch64"),
        Architecture(name="SCMP_ARCH_ARM", audit=40 | _LITTLE, numbers="arm"),
        Architecture(name="SCMP_ARCH_RISCV64", audit=243 | _BITS64 | _LITTLE, numbers="riscv64"),
        Architecture(name="SCMP_ARCH_LOONGARCH64", audit=258 | _BITS64 | _LITTLE, numbers="loongarch64"),
        Architecture(name="SCMP_ARCH_S390X", audit=22 | _BITS64, numbers="s390x"),
        Architecture(name="SCMP_ARCH_S390", audit=22, numbers="s390"),
        Architecture(name="SCMP_ARCH_PPC64LE", audit=21 | _BITS64 | _LITTLE, numbers="ppc64"),
        Architecture(name="SCMP_ARCH_PPC64", audit=21 | _BITS64, numbers="ppc64"),
        Architecture(name="SCMP_ARCH_PPC", audit=20, numbers="ppc"),
        Architecture(name="SCMP_ARCH_MIPS", audit=8, numbers="mips", base=4000),
        Architecture(name="SCMP_ARCH_MIPSEL", audit=8 | _LITTLE, numbers="mips", base=4000),
        Architecture(name="SCMP_ARCH_MIPS64", audit=8 | _BITS64, numbers="mips64", base=5000),
        Architecture(name="SCMP_ARCH_MIPSEL64", audit=8 | _BITS64 | _LITTLE, numbers="mips64", base=5000),
        Architecture(name="SCMP_ARCH_MIPS64N32", audit=8 | _BITS64 | _N32, numbers="mips64n32", base=6000),
        Architecture(
            name="SCMP_ARCH_MIPSEL64N32", audit=8 | _BITS64 | _LITTLE | _N32, numbers="mips64n32", base=6000
        ),
    )
}

#: What uname(2) calls a machine -> its own architecture, then those our default profile adds.
_LITTLE_MIPS = "EL" if sys.byteorder == "little" else ""
MACHINES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
    "i686": ("SCMP_ARCH_X86",),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
    "armv7l": ("SCMP_ARCH_ARM",),
    "riscv64": ("SCMP_ARCH_RISCV64",),
    "loongarch64": ("SCMP_ARCH_LOONGARCH64",),
    "s390x": ("SCMP_ARCH_S390X", "SCMP_ARCH_S390"),
    "ppc64le": ("SCMP_ARCH_PPC64LE",),
    "ppc64": ("SCMP_ARCH_PPC64", "SCMP_ARCH_PPC"),
    "mips": (f"SCMP_ARCH_MIPS{_LITTLE_MIPS}",),
    "mips64": (f"SCMP_ARCH_MIPS{_LITTLE_MIPS}64", f"SCMP_ARCH_MIPS{_LITTLE_MIPS}"),
}


def of_machine(machine: str = "") -> tuple[str, ...]:
    """The architectures of ``machine`` (default: this one), its own first."""
    machine = machine or os.uname().machine
    if machine not in MACHINES:
        raise Unsupported(
            f"no system call filter for {machine}",
            "minirun has no table of its system call numbers",
            "run with --security-opt seccomp=unconfined, knowing what that gives away",
        )
    return MACHINES[machine]


def named(names: Iterable[str], machine: str = "") -> list[Architecture]:
    """The machine's own architecture, then those of ``names``; Unsupported for one unknown.

    The own one is always in, as in libseccomp: without it not even execve would pass.
    """
    wanted = dict.fromkeys((of_machine(machine)[0], *names))
    wanted.pop("SCMP_ARCH_NATIVE", None)
    for name in wanted:
        if name not in ARCHITECTURES:
            raise Unsupported(
                f"seccomp architecture {name} is not supported",
                "minirun has no table of its system call numbers",
                f"leave it out, or name one of {', '.join(ARCHITECTURES)}",
            )
    return [ARCHITECTURES[name] for name in wanted]
