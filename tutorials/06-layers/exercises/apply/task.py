"""The next layer: `python3 apply.py LAYER.tar DIRECTORY` puts a layer onto the layers below."""

import os
import shutil
import sys
import tarfile

archive, directory = sys.argv[1:]
with tarfile.open(archive) as tar:
    # An entry DIR/.wh.NAME means that NAME of the layers below is gone, DIR/.wh..wh..opq that all that
    # they have in DIR is. shutil.rmtree and os.remove take away, tar.extract(entry, directory) puts.
    raise NotImplementedError("whiteouts, opaque directories, and no file outside of DIRECTORY")
