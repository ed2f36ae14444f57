"""Visit: `python3 join.py PID CMD [ARG...]` runs a command of the host's in PID's namespaces."""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)

target, *command = sys.argv[1:]
# libc.setns(descriptor, 0) joins the namespace that a descriptor of /proc/PID/ns/KIND stands for;
# below zero is an error. Of the kinds: uts ipc net mnt and pid.
raise NotImplementedError("five namespaces, one of which is for children only")
os.execvp(command[0], command)
