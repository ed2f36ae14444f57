import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
libc = ctypes.CDLL(None, use_errno=True)
uid, gid = os.getuid(), os.getgid()


def write(name, text):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)


if libc.unshare(CLONE_NEWUSER) < 0:
    raise OSError(ctypes.get_errno(), "unshare")
write("uid_map", f"0 {uid} 1")
write("setgroups", "deny")
write("gid_map", f"0 {gid} 1")
os.execv("/bin/" + sys.argv[1], sys.argv[1:])
