# wrong: looked-up-late
import os
import sys

gate, *command = sys.argv[1:]
os.mkfifo(gate)
with open(gate, "rb") as opened:
    opened.read(1)
os.unlink(gate)
os.execvp(command[0], command)
