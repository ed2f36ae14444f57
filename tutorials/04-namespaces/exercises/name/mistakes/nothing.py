# wrong: still-in-hosts-uts
import os
import sys

rootfs, *command = sys.argv[2:]
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
