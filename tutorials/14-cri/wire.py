"""What goes through the socket when the kubelet says CreateContainer: the bytes of one request.

    python3 wire.py

gRPC is HTTP/2 with POST /runtime.v1.RuntimeService/CreateContainer, and in its body messages as here: five
bytes in front, then fields, each with its number in k8s.io/cri-api's api.proto. Names are never sent.
"""

SANDBOX = "9f86d081884c"


def main():
    # [message]
    metadata = field(1, b"app")  # ContainerMetadata: name
    image = field(1, b"busybox")  # ImageSpec: image
    config = field(1, metadata) + field(2, image) + field(3, b"sleep") + field(3, b"1000")
    request = field(1, SANDBOX.encode()) + field(2, config)  # CreateContainerRequest
    # [/message]
    message = frame(request)
    show(message[:1], "not compressed")
    show(message[1:5], f"the length of what follows: {len(request)}")
    explain(request, {1: "pod_sandbox_id", 2: "config"})
    explain(config, {1: "metadata", 2: "image", 3: "command"}, "  ")


# [frame]
def field(number, value):
    """Tag, length, value. The tag's lower three bits say how to read on: 2 is "a length, and bytes"."""
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(number):
    """Seven bits a byte, the lowest first; the eighth bit says that more follow."""
    more = []
    while number > 127:
        more.append(number & 127 | 128)
        number >>= 7
    return bytes([*more, number])


def frame(message):
    return b"\0" + len(message).to_bytes(4, "big") + message
    # [/frame]


def explain(message, names, indent=""):
    at = 0
    while at < len(message):  # lengths of one byte are enough here
        number, length = message[at] >> 3, message[at + 1]
        value = message[at + 2 : at + 2 + length]
        show(message[at : at + 2], f"{indent}field {number}, {names[number]}: {length} bytes, {value}")
        at += 2 + length


def show(start, meaning):
    print(f"{start.hex(' '):12} {meaning}")


if __name__ == "__main__":
    main()
