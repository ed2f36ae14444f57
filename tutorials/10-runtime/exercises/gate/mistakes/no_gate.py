# wrong: nobody-waits
import os
import shutil
import sys

gate, *command = sys.argv[1:]
program = shutil.which(command[0])
if program is None:
    sys.exit(127)
sys.stdin.read(1)
os.execv(program, command)
