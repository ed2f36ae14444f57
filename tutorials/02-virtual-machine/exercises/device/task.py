"""A machine with a keyboard: `python3 device.py CODE`, the guest's machine code in hexadecimal digits."""

import sys

import machine

code = bytes.fromhex(sys.argv[1])
# Make a machine of one page of memory with `code` at address 0, as machine.main does, and run it.
# Then its devices:
#   in  from port 0x60    the next byte of our stdin; 0 when there are no more
#   out to port 0x3f8     to our stdout
#   hlt                   the end
# struct kvm_run, at an exit for IO: a byte at 32 is 0 for in, 1 for out; at 34 the port, two bytes;
# at 40, eight bytes, where in `shared` the byte is, or is expected.
raise NotImplementedError("a guest that is answered")
