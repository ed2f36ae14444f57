# wrong: missing
import os
import shutil
import sys
import tarfile

archive, directory = sys.argv[1:]
shutil.rmtree(directory)
os.mkdir(directory)
with tarfile.open(archive) as tar:
    for entry in tar.getmembers():
        if not os.path.basename(entry.name).startswith(".wh."):
            tar.extract(entry, directory)
