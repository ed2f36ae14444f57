# wrong: not-a-leak
import os
import sys

pid = int(sys.argv[1])
for number in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
    if os.path.isdir(f"/proc/{pid}/fd/{number}"):
        print(number)
