"""Debian's kernel, from its package to where ``kernel.py`` looks for it.

Layer ``vm``. apt downloads the package and checks its signature; one that was
downloaded elsewhere will do on any distribution. Out of it come the ELF file of
the kernel, its configuration and its modules, into a directory that gets its
name when all is there:

    ROOT/kernels/.tmp-X/kernel/  ->  ROOT/kernels/RELEASE/

Whoever works in .tmp-X holds a lock on it, so that what a killed fetch left is
told from one that goes on, and swept. apt-get(8), deb(5); read ``deb.py`` next.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from minirun.errors import MinirunError, Unsupported, UsageError, hint, reason
from minirun.image.temporary import TemporaryDirectory, sweep_below
from minirun.vm import kernel_file
from minirun.vm.deb import open_package
from minirun.vm.kernel import Kernel, fetched
from minirun.vm.kernel_unpack import Unpacking

PACKAGE = "linux-image-amd64"
_BY_HAND = "download Debian's linux-image package elsewhere, and give it: --deb FILE"


def fetch(root: str, package: str = PACKAGE, deb: str = "") -> Kernel:
    """Fetches Debian's kernel ``package`` by apt, or takes it from the file ``deb``.

    A release that is there already is left as it is. Raises MinirunError with
    apt's own words, and InvalidInput for a package that is damaged or holds no kernel.
    """
    try:
        os.makedirs(f"{root}/kernels", exist_ok=True)
        sweep(root)
        temporary = TemporaryDirectory(f"{root}/kernels")
        try:
            if deb:
                return _unpack(root, deb, temporary)
            name, version = _resolve(package)
            there = fetched(root, name.removeprefix("linux-image-").removeprefix("unsigned-"))
            if os.path.exists(there.image):
                return there
            return _unpack(root, _download(name, version, temporary.path("apt")), temporary)
        finally:
            temporary.remove()
    except OSError as error:
        raise MinirunError("cannot store the kernel", reason(error), hint(error)) from error


def sweep(root: str) -> list[str]:
    """Removes what killed fetches left below ``root``, and what no file needs; the paths."""
    return sweep_below(f"{root}/kernels") + kernel_file.sweep(root)


def _unpack(root: str, deb: str, temporary: TemporaryDirectory) -> Kernel:
    with open_package(deb) as package:
        unpacking = Unpacking(package, deb, temporary.path("kernel"))
        for release in unpacking.releases():
            if os.path.exists(fetched(root, release).image):
                return fetched(root, release)
        kernel = fetched(root, unpacking.finish())
    _index_for_modprobe(temporary.path("kernel"), kernel.release)
    kernel_file.give(temporary.path("kernel"), os.path.dirname(kernel.image))
    return kernel


def _index_for_modprobe(directory: str, release: str) -> None:
    """Lets depmod(8), if it is here, write the binary index that kmod's modprobe in a guest insists on.

    minirun reads modules.dep, which is written already: it is no harm if depmod fails.
    """
    if shutil.which("depmod"):
        subprocess.run(["depmod", "-b", directory, release], capture_output=True, check=False)


def _resolve(package: str) -> tuple[str, str]:
    """The name and version of the package that holds the kernel which ``package`` stands for."""
    if not re.fullmatch(r"linux-image-[a-z0-9.+-]+", package):
        raise UsageError(f"{package!r} is no kernel package", "their names begin with linux-image-", PACKAGE)
    if not (shutil.which("apt-get") and shutil.which("apt-cache")):
        raise Unsupported("cannot fetch a kernel", "there is no apt here, which checks signatures", _BY_HAND)
    for _ in range(5):  # linux-image-amd64 -> linux-image-6.1.0-56-amd64
        said = _run(["apt-cache", "show", "--no-all-versions", package], f"cannot find the package {package}")
        fields = dict(re.findall(r"^(\w+): (.*)$", said, re.MULTILINE))
        inner = re.search(r"\blinux-image-(?:unsigned-)?[0-9][a-z0-9.+-]*", fields.get("Depends", ""))
        if not inner:
            return package, fields.get("Version", "")
        package = inner[0]
    raise MinirunError(f"cannot find the kernel of {package}", "its dependencies go in circles", _BY_HAND)


def _download(name: str, version: str, directory: str) -> str:
    """The path of the .deb, in a new ``directory``."""
    os.mkdir(directory, 0o700)
    # apt would become the user _apt, who may not enter our directory.
    words = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", f"{name}={version}"]
    _run(words, f"cannot download the package {name}", directory)
    found = [entry.path for entry in os.scandir(directory) if entry.name.endswith(".deb")]
    if not found:
        raise MinirunError(f"cannot download the package {name}", "apt-get left no file", _BY_HAND)
    return found[0]


def _run(words: list[str], what: str, directory: str | None = None) -> str:
    done = subprocess.run(
        words,
        cwd=directory,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{words[0]} ended with {done.returncode}"]
        said = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")] or lines
        raise MinirunError(what, "; ".join(said), f"`apt-get update`, or {_BY_HAND}")
    return done.stdout
