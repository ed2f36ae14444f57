"""A virtual machine: a little memory, one processor, and us as all of its devices.

    python3 machine.py

The guest is 28 bytes of machine code and a text. It runs on the real processor until an instruction needs
something that the machine does not have in itself: then KVM_RUN returns, and says why: an exit.
KVM's interface is Documentation/virt/kvm/api.rst in the kernel's source. x86-64 only.
"""

import ctypes
import fcntl
import mmap
import os
import platform
import struct
import sys

# <linux/kvm.h>: the number of an ioctl has the size of its argument in it
KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE = 0xAE00, 0xAE01, 0xAE04
KVM_CREATE_VCPU, KVM_SET_USER_MEMORY_REGION, KVM_RUN = 0xAE41, 0x4020AE46, 0xAE80
KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS = 0x8090AE81, 0x4090AE82, 0x8138AE83, 0x4138AE84
IO, HLT, MMIO = 2, 5, 6  # reasons of an exit
PAGE = 4096

# [guest]
GUEST = bytes.fromhex(
    "be 1c 00"  # mov si, text
    "ba f8 03"  # mov dx, 0x3f8     the first serial port of a PC
    "ac"  # next: lodsb             al = the next character
    "84 c0"  # test al, al
    "74 03"  # jz done              the text ends with a zero
    "ee"  # out dx, al              an exit: ports are not the processor's
    "eb f8"  # jmp next
    "b9 e8 03"  # done: mov cx, 1000
    "e2 fe"  # loop here            a thousand instructions, and no exit
    "a0 00 80"  # mov al, [0x8000]  an exit: no memory there
    "fe c0"  # inc al
    "a2 01 80"  # mov [0x8001], al  another one
    "f4"  # hlt                     the last one
    "48 65 6c 6c 6f 0a 00"  # text: Hello, end of line, zero
)
# [/guest]


def main():
    if platform.machine() != "x86_64":
        sys.exit("machine: the guest's instructions are those of x86-64")
    # [machine]
    kvm = os.open("/dev/kvm", os.O_RDWR)
    if fcntl.ioctl(kvm, KVM_GET_API_VERSION) != 12:
        sys.exit("machine: an interface of KVM that nobody has seen since 2007")
    vm = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
    memory = mmap.mmap(-1, PAGE)  # a page of ours: all that the guest will have
    memory[: len(GUEST)] = GUEST
    where = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    # slot, flags, address in the guest, size, address here
    fcntl.ioctl(vm, KVM_SET_USER_MEMORY_REGION, struct.pack("IIQQQ", 0, 0, 0, PAGE, where))
    vcpu = fcntl.ioctl(vm, KVM_CREATE_VCPU, 0)
    shared = mmap.mmap(vcpu, fcntl.ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE))  # struct kvm_run
    # [/machine]
    power_on(vcpu)
    exits = run(vcpu, shared)
    print(f"{exits} exits")


def power_on(vcpu):
    """A PC begins in real mode near the end of 4 GiB; ours at address 0."""
    segments = bytearray(312)  # struct kvm_sregs; cs is the first: base, limit, selector
    fcntl.ioctl(vcpu, KVM_GET_SREGS, segments)
    struct.pack_into("QIH", segments, 0, 0, 0xFFFF, 0)
    fcntl.ioctl(vcpu, KVM_SET_SREGS, segments)
    registers = [0] * 18  # struct kvm_regs: rax, rbx, ... rip, rflags
    registers[16:] = 0, 2  # bit 1 of rflags is always set
    fcntl.ioctl(vcpu, KVM_SET_REGS, struct.pack("18Q", *registers))


# [run]
def run(vcpu, shared):
    """Trap and emulate: the guest traps, and what it wanted is done here, whatever we like."""
    for exits in range(1, 100):
        fcntl.ioctl(vcpu, KVM_RUN, 0)  # in here the processor is the guest's
        reason = struct.unpack_from("I", shared, 8)[0]
        if reason == IO:
            _out, size, port, _count, at = struct.unpack_from("BBHIQ", shared, 32)
            print(f"exit {exits}: IO, {shared[at : at + size]!r} to port {port:#x}")
        elif reason == MMIO:
            address, data, size, write = struct.unpack_from("Q8sIB", shared, 32)
            if write:
                print(f"exit {exits}: MMIO, writes {data[0]} to {address:#x}")
            else:
                shared[40] = 41  # what a device of ours would say
                print(f"exit {exits}: MMIO, reads {address:#x}: we answer 41")
        elif reason == HLT:
            print(f"exit {exits}: HLT")
            return exits
        else:
            sys.exit(f"machine: exit {exits} for reason {reason}, which we do not know")
    return sys.exit("machine: a hundred exits, and no end")
    # [/run]


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"machine: no usable KVM: {error}")
