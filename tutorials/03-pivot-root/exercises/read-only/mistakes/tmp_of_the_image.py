# wrong: tmp-is-rootfs
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_REMOUNT = 1, 32
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2


def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


rootfs, *command = sys.argv[2:]
root = os.fsencode(rootfs)
call("unshare", CLONE_NEWNS)
call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
call("mount", root, root, None, MS_BIND | MS_REC, None)
os.chdir(root)
call("pivot_root", b".", b".")
call("umount2", b".", MNT_DETACH)
os.chdir("/")
os.makedirs("/tmp", exist_ok=True)
os.chmod("/tmp", 0o1777)
call("mount", b"/tmp", b"/tmp", None, MS_BIND, None)
call("mount", None, b"/", None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
os.execv(f"/bin/{command[0]}", command)
