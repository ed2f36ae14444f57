"""A hypervisor in one file: a virtual machine on /dev/kvm, and each of its exits.

Layer ``vm``, and the way into it. A guest runs until an instruction asks for what
the machine does not have in itself: a port, a device's memory, a rest. That one
*traps*: the processor *exits* to the hypervisor, a process of the host such as
this, which *emulates* what was asked for and lets the guest go on.

    host    KVM_RUN                        emulates;  KVM_RUN ...
    guest            mov, add, loop ... in                      test, mov ... out
                     no exit            traps                                  traps

Popek and Goldberg ask three things of it ("Formal Requirements for Virtualizable
Third Generation Architectures", CACM 17(7), 1974, pages 412-421), named below where they are kept:

    EFFICIENCY        harmless instructions run without the hypervisor
    RESOURCE CONTROL  a guest gets what it was given: memory, devices, time
    EQUIVALENCE       it runs as on a machine of its own, save for time and room

KVM's interface is Documentation/virt/kvm/api.rst in the kernel's source; the
instructions, Intel SDM volume 2. The records: anatomy_recorded.py. QEMU does the
same with more memory and more devices: read kernel.py next, which it boots.
"""

from __future__ import annotations

import array
import contextlib
import enum
import mmap
import os
import signal
import struct
from collections.abc import Iterator
from fcntl import ioctl
from typing import NoReturn

from minirun.errors import Unsupported
from minirun.vm.anatomy_recorded import Exit, Run, driver

MEMORY, PAGE = 0x1000, 4096  # all the memory that the guest has: one page, at this address
GO = 0x1FF0  # a byte in it, for which the guest waits
COM1, LINE_STATUS, READY = 0x3F8, 0x3FD, 0x20  # a PC's serial port (16550): data, state, "send"
SLICE = 0.01  # seconds of processor time that the guest gets at once
MOST_EXITS = 20  # a guest that has not halted by then never will

#: The guest: machine code, assembly, how it traps, and what it is for.
PROGRAM = [
    ("31 db", "xor bx, bx", "", ""),
    ("b9 64 00", "mov cx, 100", "", ""),
    ("01 cb", "add bx, cx", "", "bx = 100 + 99 + ... + 1"),
    ("e2 fc", "loop 0x1005", "", "202 instructions so far, and no exit"),
    ("ba fd 03", "mov dx, 0x3fd", "", "the line status of a serial port"),
    ("ec", "in al, dx", "IO in", ""),
    ("a8 20", "test al, 0x20", "", ""),
    ("74 fb", "je 0x100c", "", "not ready to send: ask again"),
    ("ba f8 03", "mov dx, 0x3f8", "", "and its data"),
    ("be 2d 10", "mov si, 0x102d", "", "the text below"),
    ("b9 03 00", "mov cx, 3", "", "its length"),
    ("ac", "lodsb", "", "al = its next character"),
    ("ee", "out dx, al", "IO out", ""),
    ("e2 fc", "loop 0x101a", "", "the next one"),
    ("89 1e 00 20", "mov [0x2000], bx", "MMIO write", "the sum, to an address without memory"),
    ("a0 00 30", "mov al, [0x3000]", "MMIO read", "is something of the host's there?"),
    ("80 3e f0 1f 00", "cmp byte [0x1ff0], 0", "INTR", "wait, and never rest,"),
    ("74 f9", "je 0x1025", "INTR", "for a byte in its own memory"),
    ("f4", "hlt", "HLT", ""),
    ("48 69 0a", "db 'Hi', 10", "", ""),
]
CODE = bytes.fromhex("".join(code for code, *_ in PROGRAM))


def run(device: str = "/dev/kvm", code: bytes = CODE) -> Run:
    """Makes a virtual machine, runs ``code`` in it until it halts, and takes it apart.

    To be called in the main thread, the one that signals reach. Raises OSError
    where KVM is missing or forbidden, Unsupported where it is not this KVM.
    """
    with contextlib.ExitStack() as undo:
        kvm = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        undo.callback(os.close, kvm)
        if (version := ioctl(kvm, KVM_GET_API_VERSION, 0)) != 12:
            raise Unsupported(f"{device} speaks version {version} of KVM's interface", "12 is all we know")
        vm = ioctl(kvm, KVM_CREATE_VM, 0)  # a machine with nothing in it
        undo.callback(os.close, vm)
        memory = give_memory(vm, code)
        vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)  # a processor: to the host, this thread while in KVM_RUN
        undo.callback(os.close, vcpu)
        kvm_run = undo.enter_context(mmap.mmap(vcpu, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)))
        others = signal.signal(signal.SIGPROF, end_of_slice) or signal.SIG_DFL
        undo.callback(signal.signal, signal.SIGPROF, others)

        set_registers(vcpu)
        before = registers(vcpu)
        exits = tuple(each_exit(vcpu, kvm_run, memory))
        after = registers(vcpu)
    return Run(driver=driver(), registers_before=before, exits=exits, registers_after=after)


def give_memory(vm: int, code: bytes) -> memoryview:
    """Makes a page of this process the memory of the guest, with ``code`` in it.

    RESOURCE CONTROL: no other address of the guest leads anywhere in the host.
    """
    room = array.array("B", bytes(2 * PAGE))
    address = room.buffer_info()[0]
    skip = -address % PAGE  # memory is given by whole pages, so to where one begins
    memory = memoryview(room)[skip : skip + PAGE]
    memory[: len(code)] = code
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, MEMORY_REGION.pack(0, 0, MEMORY, PAGE, address + skip))
    return memory


def set_registers(vcpu: int) -> None:
    """Real mode, in which a PC wakes up; the next instruction is at cs.base + rip."""
    sregs = bytearray(SREGS_SIZE)
    ioctl(vcpu, KVM_GET_SREGS, sregs)
    CS.pack_into(sregs, 0, 0, 0xFFFF, 0)
    ioctl(vcpu, KVM_SET_SREGS, sregs)
    values = {"rip": MEMORY, "rflags": 2}  # bit 1 of rflags is always set
    ioctl(vcpu, KVM_SET_REGS, REGS.pack(*(values.get(name, 0) for name in REGISTERS)))


def registers(vcpu: int) -> dict[str, int]:
    """The guest's registers: the host may read and set them as it likes."""
    regs = bytearray(REGS.size)
    ioctl(vcpu, KVM_GET_REGS, regs)
    return dict(zip(REGISTERS, REGS.unpack(regs), strict=True))


def each_exit(vcpu: int, kvm_run: mmap.mmap, memory: memoryview) -> Iterator[Exit]:
    """Enter, trap, emulate, and again, until the guest has come to an end."""
    for number in range(1, MOST_EXITS + 1):
        enter(vcpu, kvm_run)
        (reason,) = struct.unpack_from("=I", kvm_run, EXIT_REASON)
        rip = registers(vcpu)["rip"]
        access, address, data, host = emulate(reason, kvm_run, memory)
        yield Exit(
            number=number,
            reason=NAMES.get(reason, str(reason)),
            access=access,
            address=address,
            data=data.hex(" "),
            rip=rip,
            host=host,
        )
        if reason not in (Reason.IO, Reason.MMIO, Reason.INTR):
            return


def enter(vcpu: int, kvm_run: mmap.mmap) -> None:
    """KVM_RUN: the processor is the guest's until this call returns.

    EFFICIENCY: all that the guest can do by itself happens inside this one call.
    RESOURCE CONTROL: it gets a slice of time; then a signal brings it back.
    """
    # For a signal that comes before the kernel has entered the guest.
    struct.pack_into("=I", kvm_run, EXIT_REASON, Reason.INTR)
    with contextlib.suppress(InterruptedError):
        signal.setitimer(signal.ITIMER_PROF, SLICE)
        try:
            ioctl(vcpu, KVM_RUN, 0)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


def end_of_slice(_number: int, _frame: object) -> NoReturn:
    """Raises, for newer Pythons would make an interrupted ioctl(2) again."""
    raise InterruptedError


#: Access, address, bytes, and in words what the host did.
Emulated = tuple[str, int | None, bytes, str]


def emulate(reason: int, kvm_run: mmap.mmap, memory: memoryview) -> Emulated:
    """Does what the guest trapped for."""
    match reason:
        case Reason.IO:
            return port(kvm_run)
        case Reason.MMIO:
            return no_memory(kvm_run)
        case Reason.INTR:
            memory[GO - MEMORY] = 1  # the host reaches into the guest, never the guest into the host
            return "", None, b"", f"takes the processor back, writes 1 to {GO:#x}"
        case Reason.HLT:
            return "", None, b"", "has the processor again"
        case _:
            return "", None, b"", ENDS.get(reason, "an exit that this hypervisor does not know")


def port(kvm_run: mmap.mmap) -> Emulated:
    """``in`` or ``out``. EQUIVALENCE: to the guest this is a serial port."""
    direction, size, number, count, start = IO.unpack_from(kvm_run, DETAILS)
    end = start + size * count
    if direction == OUT:
        sent = kvm_run[start:end]
        return (
            "out",
            number,
            sent,
            f"sends {sent.decode('latin-1')!r}" if number == COM1 else "has nothing there",
        )
    known = number == LINE_STATUS
    kvm_run[start:end] = bytes([READY if known else 0xFF]) * (end - start)
    return "in", number, kvm_run[start:end], "answers: ready to send" if known else NOTHING


def no_memory(kvm_run: mmap.mmap) -> Emulated:
    """A read or a write where no memory is: a device's (MMIO), if the host has one there.

    RESOURCE CONTROL: what the guest finds is what the host makes up.
    """
    address, data, size, is_write = MMIO.unpack_from(kvm_run, DETAILS)
    if is_write:
        value = int.from_bytes(data[:size], "little")
        return "write", address, data[:size], f"is a device there, takes {value}"
    kvm_run[MMIO_DATA : MMIO_DATA + size] = b"\xff" * size
    return "read", address, b"\xff" * size, NOTHING


NOTHING = "has nothing there: all bits 1"

# --- the kernel's words: <linux/kvm.h>, <asm/kvm.h>, <asm-generic/ioctl.h> -----


def _IO(number: int) -> int:
    return 0xAE << 8 | number  # an ioctl of KVM


def _IOW(number: int, size: int) -> int:
    return 1 << 30 | size << 16 | _IO(number)  # which takes a struct of so many bytes


def _IOR(number: int, size: int) -> int:
    return 2 << 30 | size << 16 | _IO(number)  # which gives one


MEMORY_REGION = struct.Struct("=IIQQQ")  # slot, flags, guest_phys_addr, memory_size, userspace_addr
REGS = struct.Struct("=18Q")
REGISTERS = "rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags".split()
CS = struct.Struct("=QIH")  # the first of kvm_sregs: base, limit, selector
SREGS_SIZE = 312

KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE = _IO(0x00), _IO(0x01), _IO(0x04)
KVM_CREATE_VCPU, KVM_SET_USER_MEMORY_REGION = _IO(0x41), _IOW(0x46, MEMORY_REGION.size)
KVM_RUN, KVM_GET_REGS, KVM_SET_REGS = _IO(0x80), _IOR(0x81, REGS.size), _IOW(0x82, REGS.size)
KVM_GET_SREGS, KVM_SET_SREGS = _IOR(0x83, SREGS_SIZE), _IOW(0x84, SREGS_SIZE)

# struct kvm_run, in which the kernel says why it came back; offsets in bytes:
EXIT_REASON = 8
DETAILS = 32  # of the exit, a union:
IO = struct.Struct("=BBHIQ")  # direction, size, port, count, data_offset
MMIO, MMIO_DATA = struct.Struct("=Q8sIB"), DETAILS + 8  # phys_addr, data, len, is_write
OUT = 1  # KVM_EXIT_IO_OUT


class Reason(enum.IntEnum):
    """KVM_EXIT_...: those that this guest, or its end, can come to."""

    IO = 2
    HLT = 5
    MMIO = 6
    SHUTDOWN = 8
    FAIL_ENTRY = 9
    INTR = 10
    INTERNAL_ERROR = 17


NAMES = {reason.value: reason.name for reason in Reason}
ENDS: dict[int, str] = {
    Reason.SHUTDOWN: "its processor gave up: an error in the handling of an error (triple fault)",
    Reason.FAIL_ENTRY: "the processor refuses to enter the guest: its registers are impossible",
    Reason.INTERNAL_ERROR: "KVM itself cannot go on, mostly for an instruction that it cannot emulate",
}
