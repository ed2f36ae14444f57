# wrong: counts-none
import os
import sys

pid = int(sys.argv[1])
count = 0
for task in os.listdir(f"/proc/{pid}/task"):
    with open(f"/proc/{pid}/task/{task}/comm") as file:
        count += file.read().endswith("/KVM\n")
print(count)
