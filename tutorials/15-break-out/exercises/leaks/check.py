import os
import subprocess
import sys

from minirun.learn.attempt import Attempt

#: A program in a root of its own; 7 and 9 are directories of the host's, which it was left with.
CONTAINED = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.dup2(os.open("/", os.O_RDONLY), 7)
os.dup2(os.open("/etc", os.O_RDONLY), 9)
os.dup2(os.open("/etc/passwd", os.O_RDONLY), 10)
root = os.fsencode(sys.argv[1])
libc.unshare(0x20000)
libc.mount(None, b"/", None, 0x44000, None)
libc.mount(root, root, None, 0x5000, None)
os.chdir(root)
libc.pivot_root(b".", b".")
libc.umount2(b".", 2)
os.chdir("/")
os.dup2(os.open("/bin", os.O_RDONLY), 8)
os.closerange(3, 7)
os.closerange(11, 20)
print("ready", flush=True)
os.read(0, 1)
"""
LEAKS = {7: "/", 9: "/etc"}


def check(attempt: Attempt) -> None:
    pipe = subprocess.PIPE
    words = [os.path.realpath(sys.executable), "-c", CONTAINED, str(attempt.rootfs)]
    started = attempt.fence.popen(words, str(attempt.folder), dict(os.environ), stdin=pipe, stdout=pipe)
    with started.stdin, started.stdout as out:
        out.readline()
        pid = started.pid
        printed = attempt.numbers(str(pid))
        for number, path in LEAKS.items():
            attempt.expect(number in printed, "missed", number=number, pid=pid, path=path)
        more = sorted(set(printed) - set(LEAKS))
        path = os.readlink(f"/proc/{pid}/fd/{more[0]}") if more else ""
        attempt.expect(not more, "not-a-leak", number=more[0] if more else 0, pid=pid, path=path)
