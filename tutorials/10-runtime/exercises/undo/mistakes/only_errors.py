# wrong: left-after-signal
import signal
import subprocess
import sys


def sh(line):
    return lambda: subprocess.run(line.split(), check=True, stderr=subprocess.DEVNULL)


rootfs, *command = sys.argv[2:]
steps = [
    (sh("mkdir store"), sh("rmdir store")),
    (sh("mount -t tmpfs tmpfs store"), sh("umount store")),
    (sh("ip link add undo0 type veth peer name undo1"), sh("ip link delete undo0")),
]


def program():
    return subprocess.run(["chroot", rootfs, *command]).returncode


signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
done = []
try:
    for do, undo in steps:
        do()
        done.append(undo)
    code = program()
except subprocess.CalledProcessError:
    while done:
        done.pop()()
    raise
while done:
    done.pop()()
sys.exit(code)
