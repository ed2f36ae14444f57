"""A cable: `python3 cable.py run ROOTFS CMD [ARG...]`."""

import sys

from plugged import do, run


def main(rootfs, *command):
    code = run(rootfs, command, plug)
    unplug()
    sys.exit(code)


def plug(pid):
    # do("ip link ...") for the host; do(f"nsenter -t {pid} -n ip ...") for the network namespace of pid.
    raise NotImplementedError("a veth pair: 10.77.0.1/24 here, eth0 with 10.77.0.2/24 there, and lo")


def unplug():
    """What plug has made on the host goes."""


if __name__ == "__main__":
    main(*sys.argv[2:])
