"""A container runtime that is none: it only calls chroot. escape.py gets out of it.

    python3 chroot.py run ROOTFS CMD [ARG...]

Can now:      run CMD with ROOTFS as its /.
Still lacks:  a lock. The host's tree is still mounted around ROOTFS; chroot(2) says itself
              that it "is not intended to be used for any kind of security purpose".
"""

import os
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}


# [chroot]
def run(rootfs, *command):
    os.chroot(rootfs)  # changes one thing of this process: where a path that begins with / begins
    os.chdir("/")
    execute(command)
    # [/chroot]


def execute(command):
    """Becomes the program: the same process, the same surroundings, another text."""
    os.execvpe(command[0], command, ENVIRONMENT)


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] != "run":
        sys.exit("usage: chroot.py run ROOTFS CMD [ARG...]")
    try:
        sys.exit(run(*sys.argv[2:]))
    except OSError as error:
        print(f"chroot: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))
