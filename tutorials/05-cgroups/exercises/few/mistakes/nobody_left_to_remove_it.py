# wrong: group-left
import os
import sys

import groups

rootfs, *command = sys.argv[2:]
group = groups.make("pids")
groups.write(group, "pids.max", "16")
groups.write(group, "cgroup.procs", "0")
os.chroot(rootfs)
os.chdir("/")
os.execv(f"/bin/{command[0]}", command)
