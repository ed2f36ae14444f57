# wrong: wrong-word
import os
import sys

pid = int(sys.argv[1])
own = {
    kind
    for kind in ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
    if kind != "user" and os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
}
if not own:
    print("host")
elif {"mnt", "pid"} <= own:
    print("rootless" if "user" in own else "container")
else:
    print("neither")
