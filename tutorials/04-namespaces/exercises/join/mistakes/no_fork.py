# wrong: pid-for-children
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)

target, *command = sys.argv[1:]
files = [os.open(f"/proc/{target}/ns/{kind}", os.O_RDONLY) for kind in ("uts", "ipc", "net", "pid", "mnt")]
for file in files:
    if libc.setns(file, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
os.execvp(command[0], command)
