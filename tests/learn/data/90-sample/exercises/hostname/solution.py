"""A program with a host name of its own."""

import ctypes
import os
import sys

rootfs, *command = sys.argv[2:]
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(0x04000000)  # CLONE_NEWUTS
libc.sethostname(b"inside", 6)
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
