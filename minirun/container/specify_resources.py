"""Part of ``specify.py``: what a container gets of memory, CPUs, disks, processes.

The flags are docker's and so is the arithmetic; cgroups of either version are
far below (``isolation/cgroups``).
"""

from __future__ import annotations

import os
import stat

from minirun.container.options import Options
from minirun.errors import UsageError
from minirun.spec import BlockIO, Cpu, DeviceRule, Memory, Pids, Resources, ThrottleDevice

#: The kernel's own period, in microseconds: --cpus 0.5 is 50000 of 100000.
PERIOD = 100_000


def resources_of(options: Options, devices: tuple[DeviceRule, ...]) -> Resources:
    """The limits that were asked for, and the rules for ``devices``. Raises UsageError."""
    return Resources(
        devices=devices,
        memory=_memory(options),
        cpu=_cpu(options),
        pids=_pids(options),
        blockIO=BlockIO(
            weight=options.blkio_weight,
            throttleReadBpsDevice=_rates("--device-read-bps", options.device_read_bps),
            throttleWriteBpsDevice=_rates("--device-write-bps", options.device_write_bps),
            throttleReadIOPSDevice=_rates("--device-read-iops", options.device_read_iops),
            throttleWriteIOPSDevice=_rates("--device-write-iops", options.device_write_iops),
        ),
    )


def _memory(options: Options) -> Memory:
    swap = options.memory_swap or None
    if options.memory and swap is None:
        swap = 2 * options.memory  # docker's: as much swap as memory
    return Memory(
        limit=options.memory,
        reservation=options.memory_reservation,
        swap=swap,
        disableOOMKiller=options.oom_kill_disable,
    )


def _cpu(options: Options) -> Cpu:
    quota, period = options.cpu_quota, options.cpu_period
    if options.cpus is not None:
        quota, period = round(options.cpus * PERIOD), PERIOD
    return Cpu(
        shares=options.cpu_shares,
        quota=quota,
        period=period,
        cpus=options.cpuset_cpus,
        mems=options.cpuset_mems,
    )


def _pids(options: Options) -> Pids | None:
    if options.pids_limit is None:
        return None
    return Pids(limit=options.pids_limit or -1)  # 0 is unlimited too, as docker has it


def _rates(flag: str, rates: tuple[tuple[str, int], ...]) -> tuple[ThrottleDevice, ...]:
    return tuple(_rate(flag, path, rate) for path, rate in rates)


def _rate(flag: str, path: str, rate: int) -> ThrottleDevice:
    try:
        found = os.stat(path)
        why = "" if stat.S_ISBLK(found.st_mode) else "it is not a block device"
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise UsageError(
            f"{flag}: {path} cannot be limited", why, "name a disk such as /dev/sda; `lsblk` lists them"
        )
    return ThrottleDevice(major=os.major(found.st_rdev), minor=os.minor(found.st_rdev), rate=rate)
