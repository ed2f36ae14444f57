"""A polite end: `python3 grace.py SECONDS CMD [ARG...]`."""

import signal
import subprocess
import sys

grace, command = float(sys.argv[1]), sys.argv[2:]
program = subprocess.Popen(command)
# program.send_signal(number); program.wait(timeout) raises subprocess.TimeoutExpired; program.kill()
# signal.signal(signal.SIGTERM, lambda number, _: ...) says what this process does about SIGTERM.
raise NotImplementedError("at SIGTERM: pass it on, wait for SECONDS at most, then SIGKILL")
code = program.wait()
sys.exit(code if code >= 0 else 128 - code)
