# wrong: hosts-root
import os
import sys

rootfs, *command = sys.argv[2:]
os.chdir(rootfs)
os.execv(f"/bin/{command[0]}", command)
