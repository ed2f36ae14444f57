import ctypes
import os
import sys

PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)


def exit_code(status):
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


rootfs, *command = sys.argv[2:]
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
if (pid := os.fork()) == 0:
    os.chroot(rootfs)
    os.chdir("/")
    os.execv(f"/bin/{command[0]}", command)
code = 125
try:
    while True:
        dead, status = os.wait()
        if dead == pid:
            code = exit_code(status)
except ChildProcessError:  # nobody is left
    sys.exit(code)
