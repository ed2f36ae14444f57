"""The doctor on virtual machines: what a guest can be run with.

Layer ``vm``. In the form of ``container/doctor``; without any of it containers
still start, so nothing here is a failure.
"""

from __future__ import annotations

import shutil
import subprocess

from minirun.container.doctor.finding import Finding, ok, warn
from minirun.errors import MinirunError
from minirun.values import TYPE_CHECKING
from minirun.vm import accel, kernel
from minirun.vm.machine import QEMU

if TYPE_CHECKING:
    from collections.abc import Iterator


def examine(root: str) -> Iterator[Finding]:
    """QEMU, KVM, and a kernel to boot. ``root`` is where minirun keeps the kernels it fetched."""
    path = shutil.which(QEMU)
    if path:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        yield ok("vm: hypervisor", said.partition("\n")[0] or path)
    else:
        yield warn("vm: hypervisor", f"{QEMU} is not installed", "apt install qemu-system-x86")
    problem = accel.why_not()
    if problem:
        remedy = "nothing has to be done: guests are emulated, some ten times slower"
        yield warn("vm: KVM", problem, remedy)
    else:
        yield ok("vm: KVM", "the processor runs guests itself")
    try:
        yield ok("vm: kernel", kernel.find(root).release)
    except MinirunError as error:
        yield warn("vm: kernel", f"{error.what}: {error.why}", error.remedy)
