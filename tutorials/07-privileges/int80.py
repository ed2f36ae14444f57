"""One system call by its 32-bit number, from a 64-bit program that a runtime has prepared.

    python3 int80.py MODULE ROOTFS        the runtime MODULE.py, beside this file

x86 only. A 64-bit processor has two ways into the kernel: `syscall`, with one table of numbers,
and `int 0x80`, which is older, with another. Both stay open, whatever the program is.
The call is keyctl(2): 250 in the one table, 288 in the other, where the first has accept4.
"""

import ctypes
import importlib
import mmap
import os
import struct
import sys

KEYCTL, KEYCTL_32 = 250, 288
GET_KEYRING_ID, SESSION = 0, -3


def main(module, rootfs):
    runtime = importlib.import_module(module.removesuffix(".py"))
    runtime.execute = lambda command: attempt()
    sys.exit(runtime.run(rootfs, "-"))


def attempt():
    libc = ctypes.CDLL(None, use_errno=True)
    said = libc.syscall(KEYCTL, GET_KEYRING_ID, SESSION, 0)
    print("keyctl by its number:", os.strerror(ctypes.get_errno()) if said < 0 else f"key {said}", flush=True)
    said = int80(KEYCTL_32, GET_KEYRING_ID, SESSION, 0)
    print("keyctl by its 32-bit number:", os.strerror(-said) if said < 0 else f"key {said}", flush=True)
    os._exit(0)


# [int80]
def int80(number, *arguments):
    """push rbx; mov ebx, ecx, edx: the arguments; mov eax: the number; int 0x80; pop rbx; ret"""
    moves = b"".join(
        struct.pack("<Bi", code, value) for code, value in zip(b"\xbb\xb9\xba", arguments, strict=True)
    )
    code = b"\x53" + moves + struct.pack("<Bi", 0xB8, number) + b"\xcd\x80\x5b\xc3"
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    # [/int80]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: int80.py MODULE ROOTFS")
    main(*sys.argv[1:])
