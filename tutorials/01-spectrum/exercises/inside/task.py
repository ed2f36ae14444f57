"""What number does a process call its own? `python3 inside.py PID` prints it."""

import sys

pid = int(sys.argv[1])
raise NotImplementedError("a line of /proc/PID/status has a number for each PID namespace that it is in")
