import ctypes
import os
import struct

from minirun.learn.attempt import Attempt
from minirun.linux.libc import checked, libc

SEIZE, INTERRUPT, GET_FILTER, DETACH = 0x4206, 0x4207, 0x420C, 17  # PTRACE_...
FOREIGN = 0x40000003  # AUDIT_ARCH_I386


def check(attempt: Attempt) -> None:
    rootfs = str(attempt.rootfs)
    with attempt.running() as inside:
        attempt.expect(inside.status("Seccomp") == "2", "no-filter", pid=inside.pid)
        program = filter_of(inside.pid)
    done = attempt.run("run", rootfs, "mkdir", "/data")
    attempt.expect(done.code != 0 and not (attempt.rootfs / "data").exists(), "made-it")
    attempt.expect(done.code != 159, "killed")
    attempt.expect("Operation not permitted" in done.err, "other-answer", said=done.err.strip())
    done = attempt.run("run", rootfs, "sh", "-c", "touch /note && rm /note")
    attempt.expect(done.code == 0, "too-much", said=done.err.strip())
    answer = play(program, FOREIGN, 39)  # mkdir, in its table
    attempt.expect(answer in (0x80000000, 0), "foreign", answer=f"{answer:#x}")


def filter_of(pid: int) -> list[tuple[int, int, int, int]]:
    """The newest filter of a process, as the kernel has it."""
    ptrace(SEIZE, pid)
    try:
        ptrace(INTERRUPT, pid)
        os.waitpid(pid, 0)
        code = ctypes.create_string_buffer(8 * ptrace(GET_FILTER, pid))
        ptrace(GET_FILTER, pid, code)
    finally:
        ptrace(DETACH, pid)
    return list(struct.iter_unpack("=HBBI", code.raw))


def ptrace(request: int, pid: int, data: ctypes.Array[ctypes.c_char] | None = None) -> int:
    return checked(libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), ctypes.c_long(0), data))


def play(program: list[tuple[int, int, int, int]], architecture: int, number: int) -> int:
    """What the filter answers to a call."""
    data = struct.pack("=II56x", number, architecture)
    register = place = 0
    while True:
        code, yes, no, operand = program[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            (register,) = struct.unpack_from("=I", data, operand)
        elif code == 0x05:
            place += operand
        else:
            tests = {0x15: register == operand, 0x25: register > operand, 0x35: register >= operand}
            place += yes if tests.get(code, register & operand) else no
