# wrong: no-patience
import subprocess
import sys

first, most = float(sys.argv[1]), float(sys.argv[2])
command = sys.argv[3:]
while subprocess.call(command) != 0:
    pass
