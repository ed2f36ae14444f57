"""gc: sweeps what killed commands left of machines, templates and kernels.

Layer ``vm``. Each half-made thing is locked by whoever makes it, or bears the
number of its process, so that work under way is left alone. Part of
``minirun gc``; read ``container/gc.py`` for the rest.
"""

from __future__ import annotations

import os

from minirun.linux import process
from minirun.vm import home, kernel_fetch, template


def gc(root: str, state: str) -> list[str]:
    """Sweeps everything; a line for each thing that was removed."""
    done = home.sweep(state)
    half_made = [*template.sweep(root), *kernel_fetch.sweep(root), *_initramfs(root)]
    return done + [f"removed {path}: half-made" for path in half_made]


def _initramfs(root: str) -> list[str]:
    """``initramfs.build`` writes to KEY.PID-X before the name becomes KEY."""
    directory, removed = f"{root}/initramfs", []
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        writer = name.partition(".")[2].partition("-")[0]
        if writer.isdigit() and not process.start_time(int(writer)):
            os.unlink(f"{directory}/{name}")
            removed.append(f"{directory}/{name}")
    return removed
