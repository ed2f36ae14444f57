import os
import stat
import sys

lower, upper = sys.argv[1:]
found = {}


def files(top):
    """Paths below top of all that is no directory; what os.walk calls a directory may be a link to one."""
    for place, directories, names in os.walk(top):
        links = [name for name in directories if os.path.islink(os.path.join(place, name))]
        for name in [*names, *links]:
            yield os.path.relpath(os.path.join(place, name), top)


def is_opaque(directory):
    try:
        return os.getxattr(directory, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


for place, _, _ in os.walk(upper):
    below = os.path.join(lower, os.path.relpath(place, upper))
    if is_opaque(place):
        for name in files(below):
            found[os.path.normpath(os.path.join(os.path.relpath(below, lower), name))] = "D"
for path in files(upper):
    status = os.lstat(os.path.join(upper, path))
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        found[path] = "D"
    else:
        found[path] = "C" if os.path.lexists(os.path.join(lower, path)) else "A"
for path in sorted(found):
    print(found[path], f"/{path}")
