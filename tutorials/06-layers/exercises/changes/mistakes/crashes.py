# wrong: failed
import os
import sys

lower, upper = sys.argv[1:]
for place, _, _ in os.walk(upper):
    print(os.getxattr(place, "trusted.overlay.opaque"))
