"""Runs classic BPF on a struct seccomp_data, as the kernel does.

Covers what a seccomp filter may contain (seccomp_check_filter in kernel/seccomp.c), ours and
libseccomp's: loads of words, ALU operations with a constant or X, scratch memory, jumps, return.
Anything else is a broken program, and so is a jump out of it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FULL = 0xFFFFFFFF


class BrokenProgram(Exception):
    """The kernel would not have loaded this."""


def decoded(program: bytes) -> list[tuple[int, int, int, int]]:
    """(code, jt, jf, k) of each instruction of struct sock_filter."""
    if not program or len(program) % 8:
        raise BrokenProgram(f"{len(program)} bytes")
    return list(struct.iter_unpack("=HBBI", program))


def words(number: int, architecture: int, args: Sequence[int] = (), big_endian: bool = False) -> list[int]:
    """struct seccomp_data as the 32-bit words at offsets 0, 4, 8 ..."""
    data = [number & FULL, architecture, 0, 0]
    for arg in (*args, 0, 0, 0, 0, 0, 0)[:6]:
        halves = [arg & FULL, arg >> 32 & FULL]
        data += halves[::-1] if big_endian else halves
    return data


def run(program: Sequence[tuple[int, int, int, int]], data: Sequence[int]) -> tuple[int, int]:
    """(what the program returns, how many instructions it took)."""
    a = x = at = steps = 0
    scratch = [0] * 16
    while True:
        if not 0 <= at < len(program):
            raise BrokenProgram(f"jump to {at} of {len(program)}")
        code, jt, jf, k = program[at]
        at += 1
        steps += 1
        kind = code & 0x07
        operand = x if code & 0x08 else k
        if code == 0x20:
            if k % 4 or k >= 64:
                raise BrokenProgram(f"load of offset {k}")
            a = data[k // 4]
        elif code == 0x00:
            a = k
        elif code == 0x01:
            x = k
        elif code in (0x60, 0x61):
            a, x = (scratch[k], x) if code == 0x60 else (a, scratch[k])
        elif code in (0x02, 0x03):
            scratch[k] = a if code == 0x02 else x
        elif code == 0x07:
            x = a
        elif code == 0x87:
            a = x
        elif code == 0x05:
            at += k
        elif kind == 0x05:
            at += jt if _holds(code & 0xF0, a, operand) else jf
        elif kind == 0x04:
            a = _computed(code & 0xF0, a, operand)
        elif code == 0x06:
            return k, steps
        elif code == 0x16:
            return a, steps
        else:
            raise BrokenProgram(f"instruction {at - 1} has code {code:#x}")


def _holds(op: int, a: int, operand: int) -> bool:
    match op:
        case 0x10:
            return a == operand
        case 0x20:
            return a > operand
        case 0x30:
            return a >= operand
        case 0x40:
            return bool(a & operand)
    raise BrokenProgram(f"jump {op:#x}")


def _computed(op: int, a: int, operand: int) -> int:
    match op:
        case 0x50:
            return a & operand
        case 0x40:
            return a | operand
        case 0x00:
            return a + operand & FULL
        case 0x10:
            return a - operand & FULL
    raise BrokenProgram(f"operation {op:#x}")
