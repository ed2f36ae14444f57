"""Who was it? `python3 hungry.py run ROOTFS CMD [ARG...]`. groups.py has the words."""

import os
import sys

import groups

rootfs, *command = sys.argv[2:]
# groups.make("memory"), groups.write(group, "memory.max", "32M"), and groups.oom_kills(group):
# how many processes of the group the kernel has killed because of its limit.
raise NotImplementedError('a limit of 32 MiB; and "out of memory" on stderr if, and only if, that was it')
if (pid := os.fork()) == 0:
    os.chroot(rootfs)
    os.chdir("/")
    os.execv(f"/bin/{command[0]}", command)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
