"""AppArmor: a profile by name, taken on with the next execve(2).

Layer: linux, the bottom. ``isolation/privileges.py`` asks for it, read it next.
See apparmor(7), and Documentation/admin-guide/LSM/apparmor.rst of the kernel.
"""

from __future__ import annotations

import os

from minirun.linux import procfs
from minirun.steps import syscall

_FILE = "/proc/self/attr/apparmor/exec"


def enabled() -> bool:
    """Whether the running kernel has AppArmor, and it is on."""
    try:
        with open("/sys/module/apparmor/parameters/enabled", "rb") as file:
            return file.read(1) == b"Y"
    except OSError:
        return False


@syscall("write", "apparmor(7)", show=lambda profile: f'write("{_FILE}", "exec {profile}")')
def change_on_exec(profile: str) -> None:
    """Asks for ``profile`` from the next execve(2) on."""
    # Linux 5.1 gave each security module a directory; attr/exec is the first one's only.
    procfs.write(_FILE if os.path.exists(_FILE) else "/proc/self/attr/exec", f"exec {profile}")
