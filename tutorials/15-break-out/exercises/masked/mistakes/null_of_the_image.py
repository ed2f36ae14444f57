# wrong: follows-image
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 1, 32, 0x1000, 0x4000, 0x40000, 2


def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


rootfs, *command = sys.argv[2:]
root = os.fsencode(rootfs)
call("unshare", CLONE_NEWNS | CLONE_NEWPID)
if pid := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
call("mount", root, root, None, MS_BIND | MS_REC, None)
os.chdir(root)
os.makedirs("proc", exist_ok=True)
call("mount", b"proc", b"proc", b"proc", 0, None)
call("mount", b"proc/sys", b"proc/sys", None, MS_BIND, None)
call("mount", None, b"proc/sys", None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
call("pivot_root", b".", b".")
call("umount2", b".", MNT_DETACH)
os.chdir("/")
call("mount", b"/dev/null", b"/proc/interrupts", None, MS_BIND, None)
os.execv(f"/bin/{command[0]}", command)
