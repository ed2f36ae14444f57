import sys

pid = int(sys.argv[1])
with open(f"/proc/{pid}/status") as status:
    numbers = next(line for line in status if line.startswith("NSpid:")).split()[1:]
print(numbers[-1])
