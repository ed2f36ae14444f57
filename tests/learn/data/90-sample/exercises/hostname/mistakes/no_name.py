# wrong: not-named
import ctypes
import os
import sys

rootfs, *command = sys.argv[2:]
ctypes.CDLL(None).unshare(0x04000000)
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
