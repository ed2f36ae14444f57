# wrong: marker
import sys
import tarfile

archive, directory = sys.argv[1:]
with tarfile.open(archive) as tar:
    tar.extractall(directory)
