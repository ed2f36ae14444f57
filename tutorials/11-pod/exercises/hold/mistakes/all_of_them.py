# wrong: another-kind
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, MS_BIND = 0x40000000, 0x1000


def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


file = sys.argv[1]
open(file, "w").close()
call("unshare", CLONE_NEWNET)
call("mount", b"/proc/self/ns/uts", os.fsencode(file), None, MS_BIND, None)
