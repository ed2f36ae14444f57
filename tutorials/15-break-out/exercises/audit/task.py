"""Which walls are missing: `python3 audit.py PID` prints their names, one a line."""

import sys

NAMESPACES = ["mnt", "uts", "ipc", "net", "pid"]

pid = int(sys.argv[1])
# A namespace's name, if the process is in the same one as we are; then, in this order:
#   capabilities    it, or a program that it executes, could have CAP_SYS_ADMIN (21)
#   seccomp         no filter decides on its system calls
#   no-new-privs    a set-user-ID program would give it more
raise NotImplementedError("/proc/PID/ns and /proc/PID/status")
