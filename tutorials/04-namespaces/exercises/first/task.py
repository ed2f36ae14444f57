"""The first of its kind: `python3 first.py run ROOTFS CMD [ARG...]`."""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

rootfs, *command = sys.argv[2:]
# libc.unshare(flags), libc.mount(source, target, type, flags, data): texts are bytes, and what
# comes back below zero is an error. os.waitstatus_to_exitcode reads what os.waitpid gives.
raise NotImplementedError("CMD as PID 1, with a /proc that tells of nobody else, and its exit code as ours")
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
