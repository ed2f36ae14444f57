# wrong: counts-none
import sys

pid = int(sys.argv[1])
with open(f"/proc/{pid}/task/{pid}/children") as file:
    print(len(file.read().split()))
