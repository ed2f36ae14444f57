# wrong: too-few
import sys

pid = int(sys.argv[1])
with open(f"/proc/{pid}/task/{pid}/children") as file:
    print(*sorted(map(int, file.read().split())), pid, sep="\n")
