# wrong: no-machine
import os

while byte := os.read(0, 1):
    os.write(1, bytes([byte[0] ^ 0x20]))
