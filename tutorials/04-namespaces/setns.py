"""Enters the namespaces of a process: a little nsenter(1).

    python3 setns.py PID KIND[,KIND...] CMD [ARG...]      KIND: mnt uts ipc net pid cgroup user time

The program keeps what is not named: with `net` alone it sees the files of the host and the
network of the container, a tool that the image need not bring. Exit code: the program's.
"""

import ctypes
import os
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

libc = ctypes.CDLL(None, use_errno=True)
# The order counts: user first, since it gives rights over the others; mnt last, since then
# /proc may be another one, or none.
ORDER = ("user", "cgroup", "ipc", "uts", "net", "time", "pid", "mnt")


def enter(pid, kinds):
    # [setns]
    files = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ORDER if kind in kinds]
    for file in files:
        if libc.setns(file, 0) < 0:  # 0: of whatever kind the file is
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), os.readlink(f"/dev/fd/{file}"))
    # [/setns]


def main(pid, kinds, *command):
    enter(pid, kinds.split(","))
    # This process keeps its PID, so also its PID namespace: setns(2), like unshare(2), was
    # for the children to come. nsenter forks for the same reason.
    if (child := os.fork()) == 0:
        os.execvp(command[0], command)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    if len(sys.argv) < 4 or not set(sys.argv[2].split(",")) <= set(ORDER):
        sys.exit("usage: setns.py PID KIND[,KIND...] CMD [ARG...]")
    try:
        sys.exit(main(*sys.argv[1:]))
    except OSError as error:
        print(f"setns: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))
