"""The tables of system call numbers against the kernel's headers and libseccomp's resolver."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minirun.isolation.syscall_filter.architectures import ARCHITECTURES
from tests.unit import libseccomp_oracle, make_syscall_numbers

HEADERS = {
    "SCMP_ARCH_X86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "SCMP_ARCH_X86": Path("/usr/include/x86_64-linux-gnu/asm/unistd_32.h"),
    "SCMP_ARCH_LOONGARCH64": Path("/usr/include/asm-generic/unistd.h"),
}


def numbers_in(header: Path) -> dict[str, int]:
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize("name", HEADERS)
def test_the_numbers_are_the_kernels(name: str) -> None:
    header = HEADERS[name]
    if not header.exists():
        pytest.skip(f"this machine lacks: {header}")
    said = numbers_in(header)
    table = ARCHITECTURES[name].table()
    common = said.keys() & table.keys()
    assert len(common) > 280
    assert {call: table[call] for call in common} == {call: said[call] for call in common}


@pytest.mark.parametrize("name", ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
def test_no_call_of_the_headers_is_missing(name: str) -> None:
    header = HEADERS[name]
    if not header.exists():
        pytest.skip(f"this machine lacks: {header}")
    assert numbers_in(header).keys() <= ARCHITECTURES[name].table().keys()


@pytest.mark.parametrize("module", make_syscall_numbers.TOKENS)
def test_the_numbers_are_libseccomps(module: str) -> None:
    loaded = libseccomp_oracle.library()
    if loaded is None:
        pytest.skip("this machine lacks: libseccomp.so.2")
    token, base = make_syscall_numbers.TOKENS[module]
    theirs = make_syscall_numbers.resolved(loaded, token, base)
    ours = next(a for a in ARCHITECTURES.values() if a.numbers == module)
    table = {number - base: name for name, number in ours.table().items()}
    assert theirs
    assert theirs.items() <= table.items()


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_every_table_is_whole(architecture: object) -> None:
    table = architecture.table()
    assert {"read", "execve", "exit_group", "clone", "openat", "seccomp", "rseq_slice_yield"} <= table.keys()
    assert len(set(table.values())) == len(table)
