# wrong: still-in-hosts-uts
import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUTS = 0x04000000

rootfs, *command = sys.argv[2:]
if os.fork() == 0:
    libc.unshare(CLONE_NEWUTS)
    socket.sethostname("box")
    os._exit(0)
os.wait()
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
