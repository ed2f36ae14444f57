import os
import shutil
import sys
import tarfile

archive, directory = sys.argv[1:]
directory = os.path.realpath(directory)


def place(name):
    """Where name is to be, wherever links lead: inside, or this is no layer of ours."""
    head, tail = os.path.split(os.path.normpath(name))
    parent = os.path.realpath(os.path.join(directory, head))
    if os.path.commonpath([directory, parent]) != directory or tail == "..":
        sys.exit(f"apply: {name} leads out of {directory}")
    return os.path.join(parent, tail)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


with tarfile.open(archive) as tar:
    entries = tar.getmembers()
    for entry in entries:  # what goes, of the layers below: so before anything is put
        head, name = os.path.split(entry.name)
        if name == ".wh..wh..opq":
            parent = place(os.path.join(head, "any"))
            for each in os.listdir(os.path.dirname(parent)):
                remove(os.path.join(os.path.dirname(parent), each))
        elif name.startswith(".wh."):
            remove(place(os.path.join(head, name.removeprefix(".wh."))))
    for entry in entries:
        if not os.path.basename(entry.name).startswith(".wh."):
            path = place(entry.name)
            if not entry.isdir():
                remove(path)
            tar.extract(entry, directory)
