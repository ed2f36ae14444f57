"""A keeper of orphans: `python3 adopted.py run ROOTFS CMD [ARG...]`."""

import ctypes
import os
import sys

PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)


def exit_code(status):
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


rootfs, *command = sys.argv[2:]
# Here is no PID namespace. os.wait() raises ChildProcessError when there is no child left.
raise NotImplementedError("CMD's orphans are ours; we end when the last has ended, with CMD's exit code")
