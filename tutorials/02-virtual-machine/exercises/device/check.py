import os
import select
import subprocess
import sys
import time

from minirun.learn.attempt import Attempt, Wrong

# start: in al, 0x60; test al, al; jz done; xor al, 0x20; mov dx, 0x3f8; out dx, al; jmp start; done: hlt
TURN = "e460 84c0 7408 3420 baf803 ee ebf2 f4"
TYPED, RIGHT = b"Hello", b"hELLO"
SECONDS = 5.0


def check(attempt: Attempt) -> None:
    attempt.output("f4")
    environment = {"PATH": os.defpath, "PYTHONPATH": str(attempt.folder), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [os.path.realpath(sys.executable), str(attempt.program), TURN.replace(" ", "")]
    pipe = subprocess.PIPE
    started = attempt.fence.popen(words, str(attempt.folder), environment, stdin=pipe, stdout=pipe)
    with started.stdin as keys, started.stdout as out:
        keys.write(TYPED[:1])
        keys.flush()
        if got := answer(out, 10.0):  # it has done one, and waits for the next
            look(attempt, started.pid)
            keys.write(TYPED[1:])
            keys.close()
            deadline = time.monotonic() + SECONDS
            while (block := answer(out, deadline - time.monotonic())) != b"":
                if block is None:
                    attempt.fence.kill()
                    raise Wrong("too-long", seconds=f"{SECONDS:g}", **attempt.named([TURN]))
                got = (got + block)[:100]
        shown = (got or b"").decode("latin-1")
        attempt.expect(got == RIGHT, "wrong-answer", typed=TYPED.decode(), right=RIGHT.decode(), out=shown)


def answer(out, seconds: float):
    """What it writes; b"" at its end, None if neither comes in time."""
    if seconds <= 0 or not select.select([out], [], [], seconds)[0]:
        return None
    return os.read(out.fileno(), 100)


def look(attempt: Attempt, pid: int) -> None:
    held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    machine = all(any(part in each for each in held) for part in ("kvm-vm", "kvm-vcpu"))
    shown = ", ".join(sorted(each for each in held if each.startswith("anon_inode:"))) or "no device at all"
    attempt.expect(machine, "no-machine", pid=pid, held=shown)
