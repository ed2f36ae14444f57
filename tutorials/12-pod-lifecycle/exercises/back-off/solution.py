import subprocess
import sys
import time

first, most = float(sys.argv[1]), float(sys.argv[2])
command = sys.argv[3:]
wait = 0.0
while subprocess.call(command) != 0:
    time.sleep(wait)  # the back-off
    wait = min(2 * wait, most) if wait else first
