"""The test bed: `make test-vm` boots a Debian kernel and runs the tests marked ``bed`` in it.

A host with pure cgroup v2, AppArmor and a distribution's kernel, whatever this
machine is: a virtual machine of minirun's own, whose root file system is this
machine's, read-only under a layer in memory. ``inside.sh`` is the part that
runs in there. One boot, one pytest: in emulation a program starts fifty times
slower, so imports count.

    python -m tests.bed [--all] [pytest's arguments]

Without ``--all`` the tests that are marked ``slow`` as well are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
#: The kernel is fetched once; `make clean` removes it.
ROOT = REPOSITORY / "build" / "bed"
MEMORY, CPUS = "1536m", "2"
#: Bytes of the disk for containers' files, and of the one that io.max is tried on.
DISKS = (2 << 30, 64 << 20)
#: A guest that hangs must not hang who waits for it; seconds.
QUICK, WHOLE = 600, 3600


def main(words: list[str]) -> int:
    whole = "--all" in words
    words = [word for word in words if word != "--all"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "MINIRUN_BED": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    minirun = [sys.executable, "-m", "minirun", "--root", str(ROOT)]
    subprocess.run([*minirun, "vm", "kernel", "fetch"], check=True, env=environment)
    chosen = [*_files(words), "-m", "bed" if whole else "bed and not slow", *_options(words)]
    _prepare(chosen, environment)
    with tempfile.TemporaryDirectory(prefix="minirun-bed.") as directory:
        disks = [_disk(Path(directory, f"disk{number}"), size) for number, size in enumerate(DISKS)]
        subprocess.run(["mkfs.ext4", "-q", disks[0]], check=True)
        machine = ["--rootfs", "/", "--modules", "-m", MEMORY, "--cpus", CPUS, "-w", str(REPOSITORY)]
        machine += ["--timeout", str(WHOLE if whole else QUICK), "-e", "MINIRUN_BED=1", "-e", "HOME=/root"]
        machine += [word for disk in disks for word in ("--disk", str(disk))]
        if os.stat(REPOSITORY).st_dev != os.stat("/").st_dev:
            machine += ["-v", f"{REPOSITORY}:{REPOSITORY}:ro"]
        inside = ["bash", str(REPOSITORY / "tests/bed/inside.sh"), sys.executable, *chosen]
        if "-it" in words:
            inside, machine = ["bash"], [*machine, "-it"]
        command = [*minirun, "--state", f"{directory}/state", "vm", "run", *machine, *inside]
        return subprocess.run(command, env=environment, check=False).returncode


def _files(words: list[str]) -> list[str]:
    """The files with tests for the bed: the guest shall import no others."""
    named = [word for word in words if word.startswith("tests/")]
    found = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    marked = [path for path in found if "mark.bed" in path.read_text()]
    return named or [str(path.relative_to(REPOSITORY)) for path in marked]


def _options(words: list[str]) -> list[str]:
    return [word for word in words if not word.startswith("tests/") and word != "-it"]


def _prepare(chosen: list[str], environment: dict[str, str]) -> None:
    """What costs much in emulation is done out here: the image, and compiling the tests."""
    for command in (
        [str(REPOSITORY / "rootfs-builder" / "build.py"), "busybox"],
        ["-m", "compileall", "-q", "minirun", "tests"],
        ["-m", "pytest", "--collect-only", "-q", *chosen],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def _disk(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
