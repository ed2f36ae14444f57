"""The mounts, masks and read-only paths of a container for which nobody said otherwise.

Part of ``isolation/mounts``, pure. They are docker's and containerd's, which
images are built for (config-linux.md, "Default Filesystems"). Read
``options.py`` for the words.
"""

from __future__ import annotations

from minirun.spec import Mount

#: About the whole machine: memory (kcore), keys, timers, hardware.
MASKED_FILES = (
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/timer_list",
    "/proc/timer_stats",
)
MASKED_DIRECTORIES = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",  # CVE-2020-8694: power readings tell secrets
)
MASKED_PATHS = MASKED_FILES + MASKED_DIRECTORIES

READONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


def masked_paths(privileged: bool, cpus: int) -> tuple[str, ...]:
    """What is masked: nothing for a privileged container.

    ``cpus``: each CPU of the host has a folder that counts its thermal
    throttling, by which one container can tell what another one does.
    """
    if privileged:
        return ()
    cpu = "/sys/devices/system/cpu/cpu{}/thermal_throttle"
    return MASKED_PATHS + tuple(cpu.format(number) for number in range(cpus))


def readonly_paths(privileged: bool) -> tuple[str, ...]:
    """What cannot be written: nothing for a privileged container."""
    return () if privileged else READONLY_PATHS


def default_mounts(
    privileged: bool = False, shm_size: int = 64 << 20, cgroup: bool = True
) -> tuple[Mount, ...]:
    """/proc, /dev and what is in it, /sys, and the container's cgroups.

    ``shm_size`` in bytes; 0 leaves /dev/shm out, for one that is shared.
    """
    may_write = "rw" if privileged else "ro"
    mounts = [
        _mount("/proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        # gid 5 is tty in every distribution; 0620 lets wall(1) and write(1) in.
        _mount(
            "/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"
        ),
        _mount("/sys", "sysfs", "nosuid", "noexec", "nodev", may_write),
        _mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    ]
    if cgroup:
        mounts.insert(4, _mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", may_write))
    if shm_size:
        shm = ("nosuid", "noexec", "nodev", "mode=1777", f"size={shm_size}")
        mounts.append(_mount("/dev/shm", "tmpfs", *shm, source="shm"))
    return tuple(mounts)


def _mount(destination: str, kind: str, *options: str, source: str = "") -> Mount:
    return Mount(destination=destination, type=kind, source=source or kind, options=options)
