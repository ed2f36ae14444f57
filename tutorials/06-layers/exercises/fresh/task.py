"""Fresh each time: `python3 fresh.py run ROOTFS CMD [ARG...]`."""

import ctypes
import os
import shutil
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

rootfs, *command = sys.argv[2:]
top = tempfile.mkdtemp(dir=os.path.dirname(os.path.abspath(rootfs)))
# In the child: libc.unshare, libc.mount(b"overlay", target, b"overlay", 0, b"lowerdir=...,..."), and
# what comes back below zero is an error. In the parent, when the child has ended: shutil.rmtree(top).
if (pid := os.fork()) == 0:
    raise NotImplementedError("a mount namespace, three directories in top, an overlay, and that as the root")
    os.execv(f"/bin/{command[0]}", command)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
shutil.rmtree(top)
sys.exit(code if code >= 0 else 128 - code)
