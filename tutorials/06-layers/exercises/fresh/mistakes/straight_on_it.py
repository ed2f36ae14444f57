# wrong: rootfs-changed
import os
import sys

rootfs, *command = sys.argv[2:]
if (pid := os.fork()) == 0:
    os.chroot(rootfs)
    os.chdir("/")
    os.execv(f"/bin/{command[0]}", command)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
