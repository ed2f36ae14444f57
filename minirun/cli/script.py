#!python
"""The command ``minirun`` as it is installed: pip puts the interpreter's path into the first line.

A script of our own, because the one that pip writes for an entry point imports
``re`` for its own sake, which costs every start 6 ms.
"""

from minirun.cli import main

if __name__ == "__main__":
    main()
