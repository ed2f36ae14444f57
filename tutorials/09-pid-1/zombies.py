"""Makes zombies and orphans, and looks at them.

    python3 zombies.py [N]              N of them (3)

A process that has ended stays in the table of processes until its parent asks how it ended:
a zombie. One whose parent ends first gets another parent: an orphan, which goes to the nearest
subreaper among its ancestors, and if there is none, to PID 1 of its PID namespace.
"""

import ctypes
import os
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36


def main(count):
    zombies(count)
    orphans(count, "nobody asked for it: PID 1's, or a subreaper's above us")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    orphans(count, "we are a subreaper: ours")


# [zombies]
def zombies(count):
    children = [os.fork() or os._exit(7) for _ in range(count)]
    for pid in children:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # until it has ended; it stays a zombie
        print(f"{pid}: {status(pid, 'State')}; memory: {status(pid, 'VmRSS') or 'none'}; a signal: no effect")
        os.kill(pid, signal.SIGKILL)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    there = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
    print(f"asked how they ended: {codes}; still there: {there}")
    # [/zombies]


# [orphans]
def orphans(count, expectation):
    """A child that makes children and ends: who is their parent then?"""
    print(f"orphans ({expectation}); this is {os.getpid()}")
    reading, writing = os.pipe()
    if (parent := os.fork()) == 0:
        for _ in range(count):
            if (pid := os.fork()) == 0:
                signal.pause()
            os.write(writing, f"{pid} ".encode())
        os._exit(0)
    os.waitpid(parent, 0)
    for pid in map(int, os.read(reading, 4096).split()):
        print(f"{pid}: its parent was {parent}, and is {status(pid, 'PPid')}")
        os.kill(pid, signal.SIGKILL)
        if status(pid, "PPid") == str(os.getpid()):
            os.waitpid(pid, 0)  # ours to bury
    # [/orphans]


def status(pid, field):
    """A line of /proc/PID/status; empty where there is none, as for the memory of a zombie."""
    with open(f"/proc/{pid}/status") as lines:
        return next((line.split(":")[1].strip() for line in lines if line.startswith(f"{field}:")), "")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
