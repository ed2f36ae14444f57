# wrong: failed
import os
import sys
import tarfile

archive, directory = sys.argv[1:]
with tarfile.open(archive) as tar:
    for entry in tar.getmembers():
        head, name = os.path.split(entry.name)
        if name.startswith(".wh."):
            os.remove(os.path.join(directory, head, name.removeprefix(".wh.")))
        else:
            tar.extract(entry, directory)
