# wrong: not-its-parent
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36

file, *command = sys.argv[1:]
libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
os.execvp(command[0], command)
