# wrong: overlooked
import os
import sys

NAMESPACES = ["mnt", "uts", "ipc", "net", "pid"]

pid = int(sys.argv[1])
for kind in NAMESPACES:
    if os.stat(f"/proc/{pid}/ns/{kind}").st_ino == os.stat(f"/proc/self/ns/{kind}").st_ino:
        print(kind)
with open(f"/proc/{pid}/status") as file:
    status = dict(line.split(":", 1) for line in file if ":" in line)
if int(status["CapEff"], 16) >> 21 & 1:
    print("capabilities")
if status["Seccomp"].strip() != "2":
    print("seccomp")
if status["NoNewPrivs"].strip() != "1":
    print("no-new-privs")
