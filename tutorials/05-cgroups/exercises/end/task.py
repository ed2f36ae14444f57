"""The end of all: `python3 end.py run ROOTFS CMD [ARG...]`. groups.py has the words."""

import os
import sys

import groups

rootfs, *command = sys.argv[2:]
# groups.make() makes a group in the tree of version 2. It has cgroup.procs, cgroup.kill (Linux 5.14)
# and cgroup.events, where "populated 1" stands while anybody is in it or below it.
raise NotImplementedError(
    "when CMD has ended, end all that it has started; then the group; then CMD's exit code"
)
if (pid := os.fork()) == 0:
    os.chroot(rootfs)
    os.chdir("/")
    os.execv(f"/bin/{command[0]}", command)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
