# wrong: not-joined
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)

target, *command = sys.argv[1:]
files = [os.open(f"/proc/{target}/ns/{kind}", os.O_RDONLY) for kind in ("uts", "net", "pid", "mnt")]
for file in files:
    if libc.setns(file, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
if (pid := os.fork()) == 0:
    os.execvp(command[0], command)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
