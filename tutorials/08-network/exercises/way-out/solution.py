import subprocess
import sys

from plugged import do, run

TABLE = """
table ip lesson {
  chain out {
    type nat hook postrouting priority srcnat;
    ip saddr 10.77.0.0/24 oifname != "cable" masquerade
  }
}
"""
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
    do(f"nsenter -t {pid} -n ip route add default via 10.77.0.1")
    with open(FORWARD, "w") as file:
        file.write("1")
    do("nft -f -", input=TABLE, text=True)


def unplug(router):
    subprocess.run(["ip", "link", "delete", "cable"], stderr=subprocess.DEVNULL)
    do("nft delete table ip lesson")
    with open(FORWARD, "w") as file:
        file.write(router)


if __name__ == "__main__":
    main(*sys.argv[2:])
