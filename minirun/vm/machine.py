"""The hardware of a guest, as QEMU's command line.

Layer ``vm``, pure. Everything a guest has is listed here, and there is little:
processors, memory, a serial line for the kernel's words, one virtio-serial port
for what host and guest say to each other, one for those who ask from outside,
and the host's files through 9p. A template (``template.py``) can be restored
only into the same hardware, so what differs from run to run (paths, published
ports) is in ``Wires`` and the devices are the same. See qemu-system-x86_64(1).
Read ``hypervisor.py`` next.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

QEMU = "qemu-system-x86_64"

#: Without these there is no way to the host and no root file system.
DRIVERS = ("virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay")
NETWORK_DRIVERS, DISK_DRIVERS = ("virtio_net",), ("virtio_blk",)

#: The guest's address, and QEMU's own in the little network it makes up.
ADDRESS, NETMASK, GATEWAY, NAMESERVER = "10.0.2.15", "255.255.255.0", "10.0.2.2", "10.0.2.3"

#: Each of these saves a guest in emulation what only real hardware needs.
_COMMAND_LINE = (
    "console=ttyS0 panic=-1 cgroup_no_v1=all mitigations=off nokaslr no_timer_check cryptomgr.notests"
)


class Machine(Value):
    """One guest's hardware. ``memory`` is in bytes, ``kernel`` and ``initramfs`` are paths."""

    kernel: str
    initramfs: str
    memory: int
    cpus: int = 1
    accel: str = "tcg"
    network: bool = False
    disks: tuple[str, ...] = ()
    append: str = ""
    chatty: bool = False
    """Whether the kernel tells on its console what it does."""


class Wires(Value):
    """What of the host is tied to the machine this time. Numbers are open descriptors."""

    name: str = "minirun"
    control: int = -1
    console: int = -1
    monitor: int = -1
    """QEMU's own monitor (QMP), which a template is made by."""
    memory: str = ""
    """A file that is the guest's memory."""
    keeps_memory: bool = False
    """Whether what the guest writes goes into that file, or is this run's alone."""
    restores: bool = False
    """Whether it waits for the state of a template, instead of booting."""
    publish: tuple[str, ...] = ()
    """Forwarded ports, in QEMU's words."""


def arguments(machine: Machine, wires: Wires) -> tuple[str, ...]:
    """QEMU's arguments, its own name first. Relative paths are in its home (``hypervisor.py``)."""
    return (
        QEMU,
        *_flat(_processor(machine)),
        *_flat(_memory(machine, wires)),
        *_flat(_devices(machine, wires)),
    )


def _flat(pairs: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for words in pairs:
        yield from words


def _processor(machine: Machine) -> Iterator[tuple[str, ...]]:
    yield "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"
    # The hypervisor is what stands between a hostile guest and the host: it may
    # start nothing, and become nobody else. See QEMU's -sandbox, seccomp(2).
    yield "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    yield "-machine", "q35,usb=off,vmport=off,smbus=off,sata=off,hpet=off"
    yield "-accel", machine.accel
    # Everything that can be emulated, but for page tables of five levels: each
    # level costs emulation, and nobody here has more than 128 TiB.
    yield "-cpu", "host" if machine.accel == "kvm" else "max,la57=off"
    yield "-smp", str(machine.cpus)
    words = [_COMMAND_LINE, "" if machine.chatty else "quiet", machine.append]
    yield "-kernel", machine.kernel, "-initrd", machine.initramfs, "-append", " ".join(filter(None, words))


def _memory(machine: Machine, wires: Wires) -> Iterator[tuple[str, ...]]:
    size = f"{machine.memory >> 10}K"
    yield "-m", size
    if wires.memory:
        share = "on" if wires.keeps_memory else "off"
        path = wires.memory.replace(",", ",,")
        yield "-object", f"memory-backend-file,id=ram,size={size},mem-path={path},share={share}"
        yield "-machine", "memory-backend=ram"
    if wires.restores:
        yield "-incoming", "defer"


def _devices(machine: Machine, wires: Wires) -> Iterator[tuple[str, ...]]:
    yield "-name", f"{wires.name},debug-threads=on"
    yield "-chardev", f"socket,id=console,fd={wires.console}", "-serial", "chardev:console"
    yield "-device", "virtio-serial-pci,max_ports=4"
    yield "-chardev", f"socket,id=control,fd={wires.control}"
    yield "-device", "virtserialport,nr=1,chardev=control,name=minirun.control"
    yield "-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off"
    yield "-device", "virtserialport,nr=2,chardev=agent,name=minirun.agent"
    if wires.monitor >= 0:
        yield "-chardev", f"socket,id=monitor,fd={wires.monitor}", "-mon", "chardev=monitor,mode=control"
    for share, more in (("root", ",readonly=on"), ("volumes", "")):
        # A share may be made of several file systems, whose inode numbers meet: remap.
        yield "-fsdev", f"local,id={share},path={share},security_model=passthrough,multidevs=remap{more}"
        yield "-device", f"virtio-9p-pci,fsdev={share},mount_tag={share}"
    if machine.network:
        # Reads no DHCP and needs none: the addresses are always the same.
        yield "-netdev", ",".join(["user", "id=net", "ipv6=off", *wires.publish])
        yield "-device", "virtio-net-pci,netdev=net,romfile="
    for number, path in enumerate(machine.disks):
        escaped = path.replace(",", ",,")
        yield "-drive", f"if=none,id=disk{number},file={escaped},format=raw,cache=writeback"
        yield "-device", f"virtio-blk-pci,drive=disk{number}"
