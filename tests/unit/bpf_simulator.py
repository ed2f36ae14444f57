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
    machine = _Machine(data)
    at = steps = 0
    while True:
        if not 0 <= at < len(program):
            raise BrokenProgram(f"jump to {at} of {len(program)}")
        code, jt, jf, k = program[at]
        at += 1
        steps += 1
        match code & 0x07:
            case 0x06:
                return (machine.a if code == 0x16 else k), steps
            case 0x05 if code == 0x05:
                at += k
            case 0x05:
                at += jt if _holds(code & 0xF0, machine.a, machine.operand(code, k)) else jf
            case _:
                machine.compute(code, k)


class _Machine:
    """The registers A and X, and 16 words of scratch memory."""

    def __init__(self, data: Sequence[int]) -> None:
        self.data = data
        self.a = self.x = 0
        self.scratch = [0] * 16

    def operand(self, code: int, k: int) -> int:
        return self.x if code & 0x08 else k

    def compute(self, code: int, k: int) -> None:
        match code:
            case 0x20 if k % 4 == 0 and k < 64:
                self.a = self.data[k // 4]
            case 0x00:
                self.a = k
            case 0x01:
                self.x = k
            case 0x60:
                self.a = self.scratch[k]
            case 0x61:
                self.x = self.scratch[k]
            case 0x02:
                self.scratch[k] = self.a
            case 0x03:
                self.scratch[k] = self.x
            case 0x07:
                self.x = self.a
            case 0x87:
                self.a = self.x
            case _ if code & 0x07 == 0x04:
                self.a = _computed(code & 0xF0, self.a, self.operand(code, k))
            case _:
                raise BrokenProgram(f"code {code:#x} with {k}")


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
