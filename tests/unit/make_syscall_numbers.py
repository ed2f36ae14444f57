"""Writes minirun/isolation/syscall_filter/numbers/*.py: the names of the calls and their numbers.

    python -m tests.unit.make_syscall_numbers

The facts come from libseccomp, whose resolver knows every architecture
(seccomp_syscall_resolve_num_arch(3)), and for what is newer than it from NEWER below
(Linux: scripts/syscall.tbl). loongarch64, which it does not know, is
asm-generic/unistd.h without the calls that riscv64 alone has. Run it again when there is a
newer libseccomp; ``test_syscall_filter_numbers.py`` checks the result against the headers.
"""

from __future__ import annotations

import ctypes
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
NUMBERS = HERE.parent.parent / "minirun/isolation/syscall_filter/numbers"

#: Module -> libseccomp's token (AUDIT_ARCH_* of linux/audit.h) and the first number.
TOKENS = {
    "x86_64": (0xC000003E, 0),
    "x86": (0x40000003, 0),
    "x32": (0x4000003E, 0x40000000),
    "aarch64": (0xC00000B7, 0),
    "arm": (0x40000028, 0),
    "riscv64": (0xC00000F3, 0),
    "s390x": (0x80000016, 0),
    "s390": (0x00000016, 0),
    "ppc64": (0x80000015, 0),
    "ppc": (0x00000014, 0),
    "mips": (0x00000008, 4000),
    "mips64": (0x80000008, 5000),
    "mips64n32": (0xA0000008, 6000),
}

#: Calls since Linux 6.8; all architectures share these numbers.
NEWER = {
    457: "statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal",
    463: "setxattrat getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr",
    470: "listns rseq_slice_yield",
}
ALONE = {
    "x86_64": {335: "uretprobe uprobe"},
    "riscv64": {258: "riscv_hwprobe"},
}


def main() -> None:
    libseccomp = ctypes.CDLL("libseccomp.so.2")
    tables = {module: resolved(libseccomp, *where) for module, where in TOKENS.items()}
    for module, table in tables.items():
        for start, names in {**NEWER, **ALONE.get(module, {})}.items():
            table.update(enumerate(names.split(), start))
    tables["loongarch64"] = {
        number: name for number, name in tables["riscv64"].items() if not name.startswith("riscv_")
    }
    for module, table in tables.items():
        (NUMBERS / f"{module}.py").write_text(source(module, table))


def resolved(libseccomp: ctypes.CDLL, token: int, base: int) -> dict[int, str]:
    """Number -> name, as libseccomp has it."""
    resolve = libseccomp.seccomp_syscall_resolve_num_arch
    resolve.restype = ctypes.c_void_p
    private = range(0xF0000, 0xF0010) if token == TOKENS["arm"][0] else ()
    table = {}
    for number in (*range(1000), *private):
        pointer = resolve(token, base + number)
        if pointer:
            table[number] = ctypes.string_at(pointer).decode()
            ctypes.CDLL(None).free(ctypes.c_void_p(pointer))
    return table


def source(module: str, table: dict[int, str]) -> str:
    """A line a run of consecutive numbers: the first number, then the names."""
    runs: list[list[str]] = []
    previous = -2
    for number, name in sorted(table.items()):
        if number != previous + 1:
            runs.append([str(number)])
        runs[-1].append(name)
        previous = number
    lines = [line for run in runs for line in textwrap.wrap(" ".join(run), 105, subsequent_indent="  ")]
    return (
        f'"""The system calls of {module}: a first number, then the names that follow on.\n\n'
        'Written by tests/unit/make_syscall_numbers.py; read by ../architectures.py.\n"""\n\n'
        'RUNS = """\n' + "\n".join(lines) + '\n"""\n'
    )


if __name__ == "__main__":
    main()
