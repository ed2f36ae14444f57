# wrong: added
import os
import stat
import sys

lower, upper = sys.argv[1:]
for place, _, names in os.walk(lower):
    for name in sorted(names):
        path = os.path.relpath(os.path.join(place, name), lower)
        if os.path.lexists(os.path.join(upper, path)):
            status = os.lstat(os.path.join(upper, path))
            gone = stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
            print("D" if gone else "C", f"/{path}")
