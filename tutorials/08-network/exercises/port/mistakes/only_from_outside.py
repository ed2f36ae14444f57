# wrong: not-from-here
import ctypes
import os
import subprocess
import sys

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


TABLE = """
table ip lesson {
  chain out {
    type nat hook postrouting priority srcnat;
    ip saddr 10.77.0.0/24 oifname != "cable" masquerade
  }
}
"""
FORWARD = "/proc/sys/net/ipv4/ip_forward"
PUBLISH = """
table ip lesson {
  chain outside {
    type nat hook prerouting priority dstnat;
    fib daddr type local tcp dport 8080 dnat to 10.77.0.2:80
  }
}
"""


def main(rootfs, *command):
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
    router = open(FORWARD).read()
    plug(pid)
    os.write(plugged[1], b".")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    unplug(router)
    sys.exit(code if code >= 0 else 128 - code)


def do(line, **more):
    subprocess.run(line.split(), check=True, **more)


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
    do("nft -f -", input=PUBLISH, text=True)


def unplug(router):
    subprocess.run(["ip", "link", "delete", "cable"], stderr=subprocess.DEVNULL)
    do("nft delete table ip lesson")
    with open(FORWARD, "w") as file:
        file.write(router)


if __name__ == "__main__":
    main(*sys.argv[2:])
