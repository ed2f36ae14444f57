# wrong: missed
import os
import sys

pid = int(sys.argv[1])
for number in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
    path = os.readlink(f"/proc/{pid}/fd/{number}")
    if os.path.isdir(f"/proc/{pid}/fd/{number}") and not os.path.exists(f"/proc/{pid}/root{path}"):
        print(number)
