"""How many processors a guest has, seen from the host: `python3 vcpus.py PID` prints the number."""

import sys

pid = int(sys.argv[1])
raise NotImplementedError("which of the hypervisor's threads are processors of the guest?")
