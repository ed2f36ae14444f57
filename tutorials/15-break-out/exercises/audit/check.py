import os
import subprocess
import sys

from minirun.learn.attempt import Attempt, Process

#: A process with the walls that its arguments name; it says when they stand.
CONTAINED = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
spaces = {"mnt": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "net": 0x40000000}
walls = sys.argv[1:]
libc.unshare(sum(spaces.get(wall, 0) for wall in walls))
if "capabilities" in walls:
    libc.prctl(24, 21, 0, 0, 0)
if "seccomp" in walls:
    allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(allow)))
    libc.prctl(22, 2, program, 0, 0)
if "no-new-privs" in walls:
    libc.prctl(38, 1, 0, 0, 0)
if "user" in walls:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print("ready", flush=True)
os.read(0, 1)
"""
KINDS = ("mnt", "uts", "ipc", "net", "pid")
CASES = (["mnt", "net", "capabilities", "seccomp", "no-new-privs", "user"], ["uts", "ipc", "user"])


def check(attempt: Attempt) -> None:
    for walls in CASES:
        pipe = subprocess.PIPE
        words = [os.path.realpath(sys.executable), "-c", CONTAINED, *walls]
        started = attempt.fence.popen(words, str(attempt.folder), dict(os.environ), stdin=pipe, stdout=pipe)
        with started.stdin, started.stdout as out:
            out.readline()
            judge(attempt, Process(started.pid))


def judge(attempt: Attempt, process: Process) -> None:
    right = [kind for kind in KINDS if process.namespace(kind) == attempt.host.namespace(kind)]
    right += (
        ["capabilities"]
        if (process.capabilities("CapBnd") | process.capabilities("CapPrm")) >> 21 & 1
        else []
    )
    right += ["seccomp"] if process.status("Seccomp") != "2" else []
    right += ["no-new-privs"] if process.status("NoNewPrivs") != "1" else []
    printed = attempt.output(str(process.pid)).split()
    status = ", ".join(f"{field} {process.status(field)}" for field in ("CapBnd", "Seccomp", "NoNewPrivs"))
    for wall in right:
        attempt.expect(wall in printed, "overlooked", pid=process.pid, wall=wall, status=status)
    for wall in printed:
        attempt.expect(wall in right, "imagined", pid=process.pid, wall=wall, status=status)
