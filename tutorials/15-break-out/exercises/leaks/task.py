"""What a program holds that it should not: `python3 leaks.py PID` prints numbers of descriptors."""

import sys

pid = int(sys.argv[1])
raise NotImplementedError("open directories on mounts that the process PID does not have")
