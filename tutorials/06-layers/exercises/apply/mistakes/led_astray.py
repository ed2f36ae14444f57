# wrong: escaped
import os
import shutil
import sys
import tarfile

archive, directory = sys.argv[1:]
# What newer versions of tarfile refuse by themselves, older ones do.
tarfile.TarFile.extraction_filter = staticmethod(lambda entry, path: entry)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


with tarfile.open(archive) as tar:
    entries = tar.getmembers()
    for entry in entries:
        head, name = os.path.split(entry.name)
        if name == ".wh..wh..opq":
            for each in os.listdir(os.path.join(directory, head)):
                remove(os.path.join(directory, head, each))
        elif name.startswith(".wh."):
            remove(os.path.join(directory, head, name.removeprefix(".wh.")))
    for entry in entries:
        if not os.path.basename(entry.name).startswith(".wh."):
            tar.extract(entry, directory)
