# wrong: nobody-holds
import ctypes
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, PR_SET_PDEATHSIG = 0x40000000, 1

rootfs, *command = sys.argv[2:]


def child(function):
    if (pid := os.fork()) == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        function()
    return pid


def member():
    libc.unshare(CLONE_NEWNET)
    os.chroot(rootfs)
    os.chdir("/")
    os.execv(f"/bin/{command[0]}", command)


while True:
    child(member)
    os.wait()
