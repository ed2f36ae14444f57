"""Measures programs as PID 1: their size, their memory, and whether they do its duties.

    python3 inits.py PROGRAM[:PATTERN]...      tini, ./pause:alone, sleep:alone ...

Each becomes PID 1 of a PID namespace, with a program to look after (or `alone`: it takes none).
A visitor leaves an orphan in the namespace; then comes SIGTERM, from outside.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWPID, PR_SET_CHILD_SUBREAPER = 0x20000000, 36
CHILD = (sys.executable, os.path.abspath(__file__), "program")  # without a -: tini would take it for its own


def main(*wanted):
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # whose parent ends is ours
    print(f"{'PID 1':12} {'file':>9} {'its memory':>10}  orphans  SIGTERM")
    for word in wanted:
        program, _, alone = word.partition(":")
        if path := shutil.which(program):
            measure(path, program, () if alone else CHILD)
        else:
            print(f"{program:12} is not installed")


def measure(path, program, child):
    said, saying = os.pipe()
    command = (program, *child) if child else (program, *(["1000"] if program == "sleep" else []))
    pid = first_process(path, command, saying if child else os.open("/dev/null", os.O_WRONLY))
    os.close(saying)
    with contextlib.closing(os.fdopen(said)) as lines:
        lines.readline()  # "begun", or the end of the file: from exec on it is nobody's
        until(lambda: os.path.samefile(f"/proc/{pid}/exe", path) and state(pid) == "S")
        size, memory = os.stat(path).st_size, field(f"/proc/{pid}/smaps_rollup", "Private_Dirty")
        buried = buries(pid)
        os.kill(pid, signal.SIGTERM)
        print(f"{os.path.basename(program):12} {size:9,} {memory:>10}  {buried:7}  {ending(pid)}")


def first_process(path, command, output):
    """Forks twice: the first changes where its children are born, the second is PID 1 there."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        libc.unshare(CLONE_NEWPID)
        if (pid := os.fork()) == 0:
            os.dup2(output, 1)
            os.execv(path, command)
        os.write(writing, str(pid).encode())
        os._exit(0)  # PID 1's parent is a subreaper above then: us
    return int(os.read(reading, 16))


# [buries]
def buries(pid):
    """An orphan that dies in the namespace: is it a zombie for good?"""
    before = set(children(pid))
    reading, writing = os.pipe()
    if (visitor := os.fork()) == 0:
        libc.setns(os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY), CLONE_NEWPID)
        if (parent := os.fork()) == 0:
            if os.fork() == 0:
                os.read(reading, 1)  # until the parent is gone
            os._exit(0)
        os.waitpid(parent, 0)
        os._exit(0)
    os.waitpid(visitor, 0)
    (orphan,) = set(children(pid)) - before
    os.write(writing, b".")
    until(lambda: state(orphan) in "Z")
    return "yes" if until(lambda: not state(orphan), 1.0) else "no"
    # [/buries]


def ending(pid):
    if not until(lambda: state(pid) == "Z", 1.0):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return "no effect"
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {7: "passed on; ends with the program's 7"}.get(code, f"ends with {code}")


def children(pid):
    return [int(one) for one in open(f"/proc/{pid}/task/{pid}/children").read().split()]


def state(pid):
    with contextlib.suppress(OSError):
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
    return ""


def field(path, name):
    return next(line.split(":")[1].strip() for line in open(path) if line.startswith(name + ":"))


def until(holds, seconds=5.0):
    end = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < end:
        time.sleep(0.002)  # what it waits for happens in processes of others
    return found


def program():
    """What the others look after: it ends with 7 when it is told to."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    print("begun", flush=True)
    signal.pause()


if __name__ == "__main__":
    program() if sys.argv[1:] == ["program"] else main(*sys.argv[1:])
