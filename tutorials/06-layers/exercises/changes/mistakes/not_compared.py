# wrong: changed
import os
import stat
import sys

lower, upper = sys.argv[1:]
found = []
for place, _, names in os.walk(upper):
    for name in names:
        path = os.path.join(place, name)
        gone = stat.S_ISCHR(os.lstat(path).st_mode) and os.lstat(path).st_rdev == 0
        found.append((os.path.relpath(path, upper), "D" if gone else "A"))
for path, letter in sorted(found):
    print(letter, f"/{path}")
