# wrong: no-frame
import sys

container = sys.argv[1].encode()
length, digits = len(container), []
while length > 127:
    digits.append(length & 127 | 128)
    length >>= 7
message = b"\x0a" + bytes([*digits, length]) + container
print(message.hex())
