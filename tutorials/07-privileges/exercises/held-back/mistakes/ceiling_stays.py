# wrong: ceiling-open
import ctypes
import os
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
NET_BIND_SERVICE = 10
HEADER = struct.pack("Ii", 0x20080522, 0)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


with open("/proc/sys/kernel/cap_last_cap") as file:
    last = int(file.read())
rootfs, *command = sys.argv[2:]
os.chroot(rootfs)
os.chdir("/")
call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
kept = 1 << NET_BIND_SERVICE
call("capset", HEADER, struct.pack("6I", kept, kept, 0, 0, 0, 0))
call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
os.execv(f"/bin/{command[0]}", command)
