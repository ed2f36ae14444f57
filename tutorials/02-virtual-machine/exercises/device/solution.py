import ctypes
import fcntl
import mmap
import os
import struct
import sys

import machine

code = bytes.fromhex(sys.argv[1])
kvm = os.open("/dev/kvm", os.O_RDWR)
vm = fcntl.ioctl(kvm, machine.KVM_CREATE_VM, 0)
memory = mmap.mmap(-1, machine.PAGE)
memory[: len(code)] = code
where = ctypes.addressof(ctypes.c_char.from_buffer(memory))
fcntl.ioctl(vm, machine.KVM_SET_USER_MEMORY_REGION, struct.pack("IIQQQ", 0, 0, 0, machine.PAGE, where))
vcpu = fcntl.ioctl(vm, machine.KVM_CREATE_VCPU, 0)
shared = mmap.mmap(vcpu, fcntl.ioctl(kvm, machine.KVM_GET_VCPU_MMAP_SIZE))
machine.power_on(vcpu)
while True:
    fcntl.ioctl(vcpu, machine.KVM_RUN, 0)
    reason = struct.unpack_from("I", shared, 8)[0]
    if reason == machine.HLT:
        break
    if reason != machine.IO:
        sys.exit(f"an exit for reason {reason}")
    out, size, port, count, at = struct.unpack_from("BBHIQ", shared, 32)
    if out:
        os.write(1, shared[at : at + 1])
    else:
        shared[at : at + 1] = os.read(0, 1) or b"\0"
