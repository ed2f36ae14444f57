import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUTS = 0x04000000

rootfs, *command = sys.argv[2:]
if libc.unshare(CLONE_NEWUTS) < 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
socket.sethostname("box")
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
