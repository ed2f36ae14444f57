import subprocess
import sys

from plugged import do, run


def main(rootfs, *command):
    code = run(rootfs, command, plug)
    unplug()
    sys.exit(code)


def plug(pid):
    do(f"ip link add cable type veth peer name eth0 netns {pid}")
    do("ip address add 10.77.0.1/24 dev cable")
    do("ip link set cable up")
    do(f"nsenter -t {pid} -n ip address add 10.77.0.2/24 dev eth0")
    do(f"nsenter -t {pid} -n ip link set eth0 up")
    do(f"nsenter -t {pid} -n ip link set lo up")


def unplug():
    subprocess.run(["ip", "link", "delete", "cable"], stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[2:])
