"""Somebody else, with one capability: `python3 ambient.py run ROOTFS CMD [ARG...]`."""

import ctypes
import os
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 24, 47, 2
NET_BIND_SERVICE = 10
HEADER = struct.pack("Ii", 0x20080522, 0)  # version 3: two words of 32 bits a set

rootfs, *command = sys.argv[2:]
os.chroot(rootfs)
os.chdir("/")
# libc.prctl(option, ...), libc.capset(HEADER, words), os.setgroups, os.setresgid, os.setresuid.
raise NotImplementedError(
    "user and group 1000 in all of their ids, no other group, one capability after exec"
)
os.execv(f"/bin/{command[0]}", command)
