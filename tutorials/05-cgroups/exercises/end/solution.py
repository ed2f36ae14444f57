import os
import sys
import time

import groups

rootfs, *command = sys.argv[2:]
group = groups.make()
if (pid := os.fork()) == 0:
    groups.write(group, "cgroup.procs", "0")
    os.chroot(rootfs)
    os.chdir("/")
    os.execv(f"/bin/{command[0]}", command)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
(group / "cgroup.kill").write_text("1")
while "populated 1" in (group / "cgroup.events").read_text():
    time.sleep(0.001)  # or poll(2) on cgroup.events, for POLLPRI
os.rmdir(group)
sys.exit(code if code >= 0 else 128 - code)
