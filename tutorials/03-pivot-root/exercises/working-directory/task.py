"""A root, and a place to stand in: `python3 working-directory.py run ROOTFS CMD [ARG...]`."""

import os
import sys

rootfs, *command = sys.argv[2:]
os.chroot(rootfs)
# The program must not be able to open anything outside of ROOTFS by a relative path.
# Two lines are missing: one here, and one before os.chroot, for whoever has an open
# directory of the host's among the descriptors 3, 4, 5 ...
raise NotImplementedError("where does this process stand, and what does it hold?")
os.execv(f"/bin/{command[0]}", command)
