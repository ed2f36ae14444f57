"""What a process costs: `python3 memory.py PID` prints its PSS in KiB."""

import sys

pid = int(sys.argv[1])
raise NotImplementedError("its own pages, and of each page that it shares with N - 1 others the Nth part")
