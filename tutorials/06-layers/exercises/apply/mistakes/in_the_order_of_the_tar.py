# wrong: order
import os
import shutil
import sys
import tarfile

archive, directory = sys.argv[1:]


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


with tarfile.open(archive) as tar:
    for entry in tar.getmembers():
        head, name = os.path.split(entry.name)
        if name == ".wh..wh..opq":
            for each in os.listdir(os.path.join(directory, head)):
                remove(os.path.join(directory, head, each))
        elif name.startswith(".wh."):
            remove(os.path.join(directory, head, name.removeprefix(".wh.")))
        else:
            tar.extract(entry, directory)
