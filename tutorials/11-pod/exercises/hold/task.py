"""A namespace with nobody in it: `python3 hold.py FILE`."""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, MS_BIND = 0x40000000, 0x1000

file = sys.argv[1]
# libc.unshare(flags); libc.mount(source, target, type, flags, data): texts are bytes, and what
# comes back below zero is an error. /proc/self/ns/net is the network namespace of this process.
raise NotImplementedError("a new network namespace, and a mount that holds it when this process has gone")
