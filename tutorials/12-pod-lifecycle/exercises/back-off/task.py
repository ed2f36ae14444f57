"""Patience: `python3 back-off.py FIRST MOST CMD [ARG...]`."""

import subprocess
import sys
import time

first, most = float(sys.argv[1]), float(sys.argv[2])
command = sys.argv[3:]
# subprocess.call(command) runs CMD to its end and gives its exit code; time.sleep(seconds) waits.
raise NotImplementedError("again until it succeeds: at once, then after FIRST, twice FIRST ... at most MOST")
