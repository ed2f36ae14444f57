"""A first process in a PID namespace of its own, for the exercises: what it does is up to them.

    contained.run(rootfs, command, init)   ends as PID 1 ends; that is init(command), in rootfs
    contained.exit_code(status)            what waitpid(2) has told, as a shell would say it

All else it shares with the host, but for its root directory: this chapter is about PID 1.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWPID, PR_SET_PDEATHSIG = 0x20000000, 1
libc = ctypes.CDLL(None, use_errno=True)


def run(rootfs, command, init):
    if libc.unshare(CLONE_NEWPID) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if (pid := os.fork()) == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.chroot(rootfs)
        os.chdir("/")
        init(command)
    sys.exit(exit_code(os.waitpid(pid, 0)[1]))


def exit_code(status):
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
