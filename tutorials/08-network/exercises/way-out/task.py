"""A way out: `python3 way-out.py run ROOTFS CMD [ARG...]`."""

import subprocess
import sys

from plugged import do, run

FORWARD = "/proc/sys/net/ipv4/ip_forward"


def main(rootfs, *command):
    router = open(FORWARD).read()
    code = run(rootfs, command, plug)
    unplug(router)
    sys.exit(code)


def plug(pid):
    do(f"ip link add cable type veth peer name eth0 netns {pid}")
    do("ip address add 10.77.0.1/24 dev cable")
    do("ip link set cable up")
    do(f"nsenter -t {pid} -n ip address add 10.77.0.2/24 dev eth0")
    do(f"nsenter -t {pid} -n ip link set eth0 up")
    do(f"nsenter -t {pid} -n ip link set lo up")
    # do("nft -f -", input="table ip lesson { ... }", text=True) gives rules to the kernel.
    raise NotImplementedError("a default route inside, forwarding on the host, and another source address")


def unplug(router):
    """What plug has made on the host goes; the machine is a router if it was one."""
    subprocess.run(["ip", "link", "delete", "cable"], stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[2:])
