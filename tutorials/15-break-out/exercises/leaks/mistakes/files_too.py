# wrong: not-a-leak
import os
import sys

pid = int(sys.argv[1])
with open(f"/proc/{pid}/mountinfo") as table:
    own = {line.split()[0] for line in table}
for number in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
    with open(f"/proc/{pid}/fdinfo/{number}") as about:
        mount = next(line.split()[1] for line in about if line.startswith("mnt_id:"))
    if mount not in own:
        print(number)
