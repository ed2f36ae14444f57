# wrong: holds-a-directory
import os
import sys

rootfs, *command = sys.argv[2:]
os.set_inheritable(os.open("/", os.O_RDONLY), True)
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
