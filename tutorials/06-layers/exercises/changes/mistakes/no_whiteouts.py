# wrong: deleted
import os
import sys

lower, upper = sys.argv[1:]
found = []
for place, _, names in os.walk(upper):
    for name in names:
        path = os.path.relpath(os.path.join(place, name), upper)
        found.append((path, "C" if os.path.lexists(os.path.join(lower, path)) else "A"))
for path, letter in sorted(found):
    print(letter, f"/{path}")
