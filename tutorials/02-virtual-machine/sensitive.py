"""Three instructions of a kernel, tried by a program: which of them does the processor tell anybody about?

    python3 sensitive.py

CLI and POPF change whether interrupts come, SGDT tells where a table of the kernel's is. Each is tried in a
child of its own, in user mode, where a guest's kernel had to run before VT-x. x86-64 only.
"""

import ctypes
import mmap
import os
import platform
import signal
import sys

# [instructions]
CLI = "fa 31 c0 c3"  # cli (no interrupts from here on); xor eax, eax; ret
POPF = (
    "9c 58"  # pushf; pop rax          the flags
    "25 ff fd ff ff"  # and eax, ~0x200     bit 9: interrupts come
    "50 9d"  # push rax; popf          no interrupts from here on
    "9c 58 c3"  # pushf; pop rax; ret  and what are they now?
)
SGDT = "0f 01 44 24 f0 48 8b 44 24 f2 c3"  # sgdt [rsp - 16]; mov rax, [rsp - 14]; ret
# [/instructions]


def main():
    if platform.machine() != "x86_64":
        sys.exit("sensitive: the instructions are those of x86-64")
    for name, code, tell in (("CLI", CLI, str), ("POPF", POPF, flags), ("SGDT", SGDT, table)):
        print(f"{name:5} {attempt(code, tell)}", flush=True)


def flags(value):
    return f"no trap, and interrupts are {'still on' if value & 0x200 else 'off'}"


def table(value):
    return f"no trap: the table is at {value:#x}"


# [attempt]
def attempt(code, tell):
    """Runs the machine code in a child; how it ended, or what it gave."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex(code))
        function = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        os.write(writing, tell(function()).encode())
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return f"traps: the kernel sends {signal.Signals(os.WTERMSIG(status)).name}"
    return os.read(reading, 100).decode()
    # [/attempt]


if __name__ == "__main__":
    main()
