"""Everybody in the container: `python3 crowd.py PID` prints the host's numbers, one a line, in order."""

import sys

pid = int(sys.argv[1])
raise NotImplementedError("who is in the same PID namespace as process PID?")
