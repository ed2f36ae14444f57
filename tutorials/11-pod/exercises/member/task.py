"""A member of a pod: `python3 member.py PID run ROOTFS CMD [ARG...]`."""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

pause, _, rootfs, *command = sys.argv[1:]
# libc.setns(os.open(f"/proc/{pause}/ns/KIND", os.O_RDONLY), 0) joins; libc.unshare(flags) makes.
raise NotImplementedError("what of the pod is joined, what is new; and who is PID 1 of the new one?")
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
