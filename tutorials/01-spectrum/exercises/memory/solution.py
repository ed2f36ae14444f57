import sys

pid = int(sys.argv[1])
with open(f"/proc/{pid}/smaps_rollup") as file:
    print(next(line.split()[1] for line in file if line.startswith("Pss:")))
