# wrong: whiteout
import os
import sys
import tarfile

archive, directory = sys.argv[1:]
with tarfile.open(archive) as tar:
    for entry in tar.getmembers():
        if not os.path.basename(entry.name).startswith(".wh."):
            tar.extract(entry, directory)
