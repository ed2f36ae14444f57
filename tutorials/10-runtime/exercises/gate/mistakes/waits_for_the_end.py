# wrong: deaf
import os
import shutil
import sys

gate, *command = sys.argv[1:]
program = shutil.which(command[0])
if program is None:
    sys.exit(127)
os.mkfifo(gate)
with open(os.open(gate, os.O_RDWR), "rb") as opened:
    opened.read()
os.unlink(gate)
os.execv(program, command)
