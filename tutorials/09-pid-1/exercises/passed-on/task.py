"""A first process that passes on: `python3 passed-on.py run ROOTFS CMD [ARG...]`."""

import os
import signal
import sys

from contained import exit_code, run


def init(command):
    # This is PID 1 of a namespace. os.execv(f"/bin/{command[0]}", command) would make CMD PID 1.
    raise NotImplementedError("CMD as number 2; SIGTERM for number 1 goes to it; its end is ours")


if __name__ == "__main__":
    run(sys.argv[2], sys.argv[3:], init)
