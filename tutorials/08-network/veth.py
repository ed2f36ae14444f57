"""What `ip link add` says to the kernel: one message of rtnetlink, made by hand.

    python3 veth.py [NAME PEER]           (learn-a learn-b)

Makes a pair of virtual Ethernet interfaces: what is sent into the one comes out of the other.
In a network namespace of its own, so nothing of it stays. rtnetlink(7), netlink(7), veth(4).
"""

import ctypes
import os
import socket
import struct
import sys

CLONE_NEWNET = 0x40000000
RTM_NEWLINK, NLMSG_ERROR = 16, 2
REQUEST, ACK, EXCLUSIVE, CREATE = 0x1, 0x4, 0x200, 0x400  # NLM_F_...
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 3, 18, 1, 2, 1


# [message]
def new_veth(name, peer):
    """struct nlmsghdr, struct ifinfomsg, attributes; and in one of them all but the first again."""
    link = (
        ifinfomsg()
        + attribute(IFLA_IFNAME, name.encode() + b"\0")
        + attribute(
            IFLA_LINKINFO,
            attribute(IFLA_INFO_KIND, b"veth")
            + attribute(
                IFLA_INFO_DATA,
                attribute(VETH_INFO_PEER, ifinfomsg() + attribute(IFLA_IFNAME, peer.encode() + b"\0")),
            ),
        )
    )
    flags = REQUEST | ACK | CREATE | EXCLUSIVE  # make it, not if it is there, and tell us
    return struct.pack("=IHHII", 16 + len(link), RTM_NEWLINK, flags, 1, 0) + link


def ifinfomsg():
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, 0, 0)  # type, index, flags: as the kernel likes


def attribute(kind, value):
    """Length, kind, value; and zeros until the next multiple of four, which the length leaves out."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    # [/message]


# [answer]
def answer(data):
    """The kernel's answer has the form of an error even when there is none: errno 0."""
    length, kind, _flags, sequence, _port = struct.unpack_from("=IHHII", data)
    assert kind == NLMSG_ERROR
    (number,) = struct.unpack_from("=i", data, 16)  # negative, as system calls answer inside the kernel
    return f"{length} bytes, to message {sequence}: {-number}, {os.strerror(-number) if number else 'done'}"
    # [/answer]


def hexdump(data):
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        print(f"  {start:4} {row.hex(' '):47}  {text}")


def main(name="learn-a", peer="learn-b"):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
        sys.exit(f"veth: a network namespace of our own: {os.strerror(ctypes.get_errno())}")
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    message = new_veth(name, peer)
    print(f"the message, {len(message)} bytes:")
    hexdump(message)
    for attempt in ("the kernel's answer", "the same once more"):
        kernel.send(message)
        print(f"{attempt}: {answer(kernel.recv(65536))}")
    print("there is now:", *sorted({name, peer} & {link for _, link in socket.if_nameindex()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
