"""What has it changed? `python3 changes.py LOWER UPPER` prints a line for each file: A, C or D."""

import os
import stat
import sys

lower, upper = sys.argv[1:]
# os.walk(upper); os.lstat(path).st_mode and st_rdev tell a whiteout; an opaque directory has
# os.getxattr(path, "trusted.overlay.opaque") == b"y", and OSError is raised where there is none.
raise NotImplementedError("A /new, C /changed, D /deleted, sorted by path; of directories only deleted ones")
