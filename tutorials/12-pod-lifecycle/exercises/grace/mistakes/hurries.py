# wrong: impatient
import signal
import subprocess
import sys

grace, command = float(sys.argv[1]), sys.argv[2:]
program = subprocess.Popen(command)


class Asked(Exception):
    """Somebody wants an end."""


def ask(number, _):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Asked


signal.signal(signal.SIGTERM, ask)
try:
    code = program.wait()
except Asked:
    program.terminate()
    try:
        code = program.wait(0.1)
    except subprocess.TimeoutExpired:
        program.kill()
        code = program.wait()
sys.exit(code if code >= 0 else 128 - code)
