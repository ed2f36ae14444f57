"""Reads a process's seccomp filter out of the kernel, as a list; or plays it for one call.

    python3 filter.py list PID                    the newest filter of that process
    python3 filter.py ask PID NUMBER [ARG...]     what it answers to that call, and after how much work

Needs CAP_SYS_ADMIN, and no filter on us: PTRACE_SECCOMP_GET_FILTER of ptrace(2), made for CRIU.
The process is stopped while we read, and goes on afterwards. seccomp(2), bpf(4) of the BSDs.
"""

import ctypes
import os
import struct
import sys

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_SECCOMP_GET_FILTER = 17, 0x4206, 0x4207, 0x420C
ACTIONS = {0x80000000: "KILL_PROCESS", 0x00000000: "KILL_THREAD", 0x00030000: "TRAP", 0x00050000: "ERRNO"}
ACTIONS |= {0x7FC00000: "USER_NOTIF", 0x7FF00000: "TRACE", 0x7FFC0000: "LOG", 0x7FFF0000: "ALLOW"}
LOAD, AND, GO, RETURN = 0x20, 0x54, 0x05, 0x06
JUMPS = {0x15: "jeq", 0x25: "jgt", 0x35: "jge", 0x45: "jset"}
WORDS = {0: "number of the call", 4: "architecture"}
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
libc = ctypes.CDLL(None, use_errno=True)


def filter_of(pid):
    ptrace(PTRACE_SEIZE, pid, 0, None)
    try:
        ptrace(PTRACE_INTERRUPT, pid, 0, None)
        os.waitpid(pid, 0)
        count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, None)  # how many instructions
        program = ctypes.create_string_buffer(8 * count)
        ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, program)
    finally:
        ptrace(PTRACE_DETACH, pid, 0, None)
    return list(struct.iter_unpack("=HBBI", program.raw))  # code, jump if true, jump if false, operand


# [play]
def play(program, number, arguments):
    """What the kernel does at each system call: one register, and a place that only goes forward."""
    arguments = [int(argument, 0) for argument in [*arguments, *"000000"][:6]]
    data = struct.pack("=IIQ6Q", number, ARCHITECTURE[os.uname().machine], 0, *arguments)
    register = place = steps = 0
    while True:
        code, yes, no, operand = program[place]
        place, steps = place + 1, steps + 1
        match code:
            case 0x20:
                (register,) = struct.unpack_from("=I", data, operand)
            case 0x54:
                register &= operand
            case 0x05:
                place += operand
            case 0x06:
                return answer(operand), steps
            case _:
                tests = {0x15: register == operand, 0x25: register > operand, 0x35: register >= operand}
                place += yes if tests.get(code, register & operand) else no
    # [/play]


def written(place, code, yes, no, operand):
    match code:
        case 0x20:
            return f"load {WORDS.get(operand, f'argument {operand // 8 - 2}, word {operand % 8 // 4}')}"
        case 0x54:
            return f"and {operand:#x}"
        case 0x05:
            return f"go to {place + 1 + operand}"
        case 0x06:
            return f"answer {answer(operand)}"
    value = operand if operand < 4096 else f"{operand:#x}"
    return f"{JUMPS[code]} {value}: {place + 1 + yes} or {place + 1 + no}"


def answer(value):
    name, number = ACTIONS[value & 0xFFFF0000], value & 0xFFFF
    return f"{name} {number}" if number else name


def ptrace(request, pid, address, data):
    libc.ptrace.restype = ctypes.c_long
    value = libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), ctypes.c_ulong(address), data)
    if value < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"ptrace of {pid}")
    return value


def main(verb, pid, number="0", *arguments):
    program = filter_of(int(pid))
    if verb == "ask":
        said, steps = play(program, int(number), arguments)
        print(f"{said}, after {steps} of {len(program)} instructions")
    else:
        for place, instruction in enumerate(program):
            print(f"{place:4}  {written(place, *instruction)}")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("list", "ask"):
        sys.exit("usage: filter.py list PID | ask PID NUMBER [ARG...]")
    main(*sys.argv[1:])
