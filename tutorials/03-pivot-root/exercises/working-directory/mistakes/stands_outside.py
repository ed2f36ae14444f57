# wrong: stands-outside
import os
import sys

rootfs, *command = sys.argv[2:]
os.closerange(3, 1024)
os.chroot(rootfs)
os.execv(f"/bin/{command[0]}", command)
