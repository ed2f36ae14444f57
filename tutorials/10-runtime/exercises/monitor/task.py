"""A monitor: `python3 monitor.py FILE CMD [ARG...]`."""

import ctypes
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36

file, *command = sys.argv[1:]
# libc.prctl(PR_SET_CHILD_SUBREAPER, 1): orphans below this process become its children.
# os.wait() gives the pid and the status of a child that has died; os.waitstatus_to_exitcode(status)
# is its exit code, or minus the number of the signal that killed it.
raise NotImplementedError("start CMD; bury all who die; when it is CMD, write its exit code to FILE")
