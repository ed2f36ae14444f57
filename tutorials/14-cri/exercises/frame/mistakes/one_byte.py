# wrong: long-name
import sys

container = sys.argv[1].encode()
length, digits = len(container), []
message = b"\x0a" + bytes([length & 255]) + container
print((b"\0" + len(message).to_bytes(4, "big") + message).hex())
