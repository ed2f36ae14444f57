# wrong: too-much
import os
import stat
import sys

lower, upper = sys.argv[1:]
found = {}
for place, _, names in os.walk(lower):
    for name in names:
        found[os.path.relpath(os.path.join(place, name), lower)] = "C"
for place, _, names in os.walk(upper):
    try:
        opaque = os.getxattr(place, "trusted.overlay.opaque") == b"y"
    except OSError:
        opaque = False
    within = os.path.relpath(place, upper)
    for path in found:
        if opaque and path.startswith(f"{within}/"):
            found[path] = "D"
    for name in names:
        path = os.path.normpath(os.path.join(within, name))
        status = os.lstat(os.path.join(place, name))
        gone = stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
        found[path] = "D" if gone else "C" if os.path.lexists(os.path.join(lower, path)) else "A"
for path in sorted(found):
    print(found[path], f"/{path}")
