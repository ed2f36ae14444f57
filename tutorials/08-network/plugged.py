"""A program in a network namespace of its own, for the exercises: it begins when it is plugged in.

    code = plugged.run(rootfs, command, plug)   calls plug(pid) when the namespace of pid is there
    plugged.do("ip link set cable up")          a command of the host's, which has to succeed

All else it shares with the host, but for its root directory: this chapter is about the network.
"""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def run(rootfs, command, plug):
    """The program's exit code. Who is not plugged in, because plug fails, ends with 125."""
    there, plugged = os.pipe(), os.pipe()
    if (pid := os.fork()) == 0:
        os.close(plugged[1])
        if libc.unshare(CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.write(there[1], b".")  # the network namespace is there
        if not os.read(plugged[0], 1):
            os._exit(125)
        os.chroot(rootfs)
        os.chdir("/")
        os.execv(f"/bin/{command[0]}", command)
    os.close(plugged[0])
    os.close(there[1])
    os.read(there[0], 1)
    plug(pid)
    os.write(plugged[1], b".")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def do(line, **more):
    subprocess.run(line.split(), check=True, **more)
