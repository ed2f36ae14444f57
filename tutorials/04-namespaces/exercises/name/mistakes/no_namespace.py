# wrong: hosts-name
import os
import socket
import sys

rootfs, *command = sys.argv[2:]
socket.sethostname("box")
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
