"""Which kernel a workload is on, by what /proc tells it from inside.

Layer ``compare``. The release alone proves little: two kernels may have the
same one. ``boot_id`` is made at random once in a boot, so who reads the same
one is on the same running kernel. Read ``report.py`` next. random(4), proc(5).
"""

from __future__ import annotations

import re

from minirun.values import Value

_FILES = ("/proc/sys/kernel/random/boot_id", "/proc/stat", "/proc/meminfo")

#: A script that any image with a shell can run.
QUESTION = f"uname -r; cat {' '.join(_FILES)} 2>/dev/null"

_BOOT_ID = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.MULTILINE)


class Kernel(Value):
    """What a program is told of its kernel. What it does not tell is empty, or 0.

    ``booted`` is seconds since 1970, ``memory`` KiB.
    """

    release: str = ""
    boot_id: str = ""
    booted: int = 0
    memory: int = 0
    cpus: int = 0


def of_host() -> Kernel:
    """The kernel that we run on."""
    import os

    texts = [os.uname().release]
    for path in _FILES:
        with open(path) as file:
            texts.append(file.read())
    return parse("\n".join(texts))


def parse(text: str) -> Kernel:
    """The answer to QUESTION."""
    boot_id = _BOOT_ID.search(text)
    return Kernel(
        release=text.strip().partition("\n")[0].strip(),
        boot_id=boot_id[0] if boot_id else "",
        booted=_number(r"^btime (\d+)", text),
        memory=_number(r"^MemTotal: +(\d+) kB", text),
        cpus=len(re.findall(r"^cpu\d+ ", text, re.MULTILINE)),
    )


def _number(pattern: str, text: str) -> int:
    match = re.search(pattern, text, re.MULTILINE)
    return int(match[1]) if match else 0
