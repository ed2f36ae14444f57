# wrong: opaque
import os
import stat
import sys

lower, upper = sys.argv[1:]
found = []
for place, _, names in os.walk(upper):
    for name in names:
        path = os.path.relpath(os.path.join(place, name), upper)
        status = os.lstat(os.path.join(place, name))
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            found.append((path, "D"))
        else:
            found.append((path, "C" if os.path.lexists(os.path.join(lower, path)) else "A"))
for path, letter in sorted(found):
    print(letter, f"/{path}")
