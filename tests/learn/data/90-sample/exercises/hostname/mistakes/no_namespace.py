# wrong: hosts-name-changed
import ctypes
import os
import sys

rootfs, *command = sys.argv[2:]
ctypes.CDLL(None).sethostname(b"inside", 6)
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
