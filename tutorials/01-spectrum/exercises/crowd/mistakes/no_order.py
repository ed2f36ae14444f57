# wrong: no-order
import os
import sys

pid = int(sys.argv[1])
wanted = os.stat(f"/proc/{pid}/ns/pid").st_ino
found = []
for each in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat(f"/proc/{each}/ns/pid").st_ino == wanted:
            found.append(int(each))
    except OSError:
        continue
print(*sorted(found, reverse=True), sep="\n")
