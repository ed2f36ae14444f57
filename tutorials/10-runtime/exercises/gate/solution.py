import os
import shutil
import sys

gate, *command = sys.argv[1:]
program = shutil.which(command[0])
if program is None:
    sys.exit(127)
os.mkfifo(gate)
with open(gate, "rb") as opened:
    opened.read(1)
os.unlink(gate)
os.execv(program, command)
