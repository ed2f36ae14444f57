"""Which rung is a process on? `python3 told-apart.py PID` prints one word.

host        it shares all namespaces with us
container   it has a mount and a PID namespace of its own, and our user namespace
rootless    it has those, and a user namespace of its own as well
neither     it has some namespace of its own, but not those two
"""

import sys

pid = int(sys.argv[1])
raise NotImplementedError("compare /proc/self/ns with /proc/PID/ns")
