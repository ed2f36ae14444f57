"""A monitor without KVM: `python3 monitor.py CODE`, with a guest's machine code as hexadecimal digits."""

import ctypes
import mmap
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_TRACEME, PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_SYSEMU = 0, 7, 12, 13, 31
RAX, RDX, RIP = 10, 12, 16  # places in struct user_regs_struct, which is 27 numbers of 8 bytes

BEGIN = b"\xcc"  # int3: a trap at the guest's first instruction, so that we know where it begins
code = BEGIN + bytes.fromhex(sys.argv[1])
if (pid := os.fork()) == 0:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    guest = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    libc.ptrace(PTRACE_TRACEME, 0, None, None)
    guest()
# Each stop of the child is an exit: os.waitpid(pid, 0), then os.WSTOPSIG. registers is
# (ctypes.c_uint64 * 27)(), for PTRACE_GETREGS by its ctypes.addressof; memory is /proc/PID/mem.
raise NotImplementedError("out dx, al (ee): to stdout; hlt (f4): the end; a system call: nothing happens")
