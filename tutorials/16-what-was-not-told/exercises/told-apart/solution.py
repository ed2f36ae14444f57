import os
import sys

pid = int(sys.argv[1])
own = {
    kind
    for kind in ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
    if os.stat(f"/proc/{pid}/ns/{kind}").st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino
}
if not own:
    print("host")
elif {"mnt", "pid"} <= own:
    print("rootless" if "user" in own else "container")
else:
    print("neither")
