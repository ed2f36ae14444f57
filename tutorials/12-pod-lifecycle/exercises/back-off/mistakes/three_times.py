# wrong: gave-up
import subprocess
import sys
import time

first, most = float(sys.argv[1]), float(sys.argv[2])
command = sys.argv[3:]
wait = 0.0
for _ in range(3):
    if subprocess.call(command) == 0:
        break
    time.sleep(wait)
    wait = min(2 * wait, most) if wait else first
