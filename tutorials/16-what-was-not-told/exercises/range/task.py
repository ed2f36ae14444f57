"""A user namespace with 65,536 users: `python3 range.py run ROOTFS CMD [ARG...]`, called by root."""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
FIRST, COUNT = 100000, 65536
libc = ctypes.CDLL(None, use_errno=True)

rootfs, *command = sys.argv[2:]
os.chroot(rootfs)
os.chdir("/")
# A process cannot write a map of many ids for itself: it has lost its rights outside with the
# unshare. Somebody who stayed outside has to write it, and the process has to wait for that.
raise NotImplementedError("a child that unshares, a parent that writes /proc/CHILD/uid_map and gid_map")
os.setgid(0)
os.setuid(0)
os.execv(f"/bin/{command[0]}", command)
