"""The contestants: an installed minirun, and runc and podman as Debian has them.

All on one busybox image, each with directories of its own below one temporary
directory, so that nothing of the machine's user is touched and one removal
cleans up. runc gets what ``runc spec`` writes, and on top the limits and the
syscall filter that minirun and podman have without being asked; it runs on the
bare root file system, without the overlay that the other two mount.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import platform
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.bench.harness import output, spend

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = REPOSITORY / "rootfs-builder" / "output" / "busybox.tar"
FOREVER = ("sleep", "1000000")

#: What a container is limited to in every contest, in minirun's and podman's words.
LIMITS = ("-m", "64m", "--pids-limit", "100", "--cpus", "1")
RESOURCES = {
    "memory": {"limit": 64 << 20},
    "pids": {"limit": 100},
    "cpu": {"quota": 100000, "period": 100000},
}
#: Podman's default asks for more than a container without CAP_SYS_RESOURCE around it can have.
ULIMITS = ("--ulimit", "nofile=10000:10000", "--ulimit", "nproc=10000:10000")
PROFILE = Path("/usr/share/containers/seccomp.json")
CGROUPS = ("minirun", "minirun-bench", "libpod_parent", "conmon")


class Minirun:
    """The installed command, on a store of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.command = [str(installed()), "--root", f"{place}/root", "--state", f"{place}/state"]
        output(self("load", "-i", str(IMAGE)))

    def __call__(self, *words: str) -> list[str]:
        return [*self.command, *words]

    def run(self, *words: str, flags: tuple[str, ...] = (), network: str = "none") -> list[str]:
        """``minirun run`` with everything on."""
        return self("run", "--network", network, *LIMITS, *flags, "busybox", *words)

    def start(self) -> str:
        """A container that does nothing; its id."""
        return output(self.run(*FOREVER, flags=("-d",)))

    def pid(self, id: str) -> int:
        """Its first process."""
        return int(json.loads(output(self("inspect", id)))[0]["state"]["pid"])

    def removal(self, *ids: str) -> list[str]:
        """What kills and removes them."""
        return self("rm", "-f", *ids)

    def remove(self, *ids: str) -> None:
        """Kills and removes them."""
        if ids:
            spend(self.removal(*ids))

    def close(self) -> None:
        """Removes whatever a contest that broke off has left."""
        self.remove(*output(self("ps", "-a", "-q")).split())
        output(self("network", "prune", "-f"))


class Podman:
    """podman with runc, on a store of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        directories = (f"--{name}={place / name}" for name in ("root", "runroot", "tmpdir"))
        self.command = ["podman", *directories, "--runtime=runc", "--cgroup-manager=cgroupfs"]
        output(self("load", "-i", str(IMAGE)))

    def __call__(self, *words: str) -> list[str]:
        return [*self.command, *words]

    def run(self, *words: str, flags: tuple[str, ...] = (), network: str = "none") -> list[str]:
        """``podman run``; a filter and capabilities are on by default."""
        return self("run", "--network", network, *ULIMITS, *LIMITS, *flags, "busybox", *words)

    def start(self) -> str:
        """A container that does nothing; its id."""
        return output(self.run(*FOREVER, flags=("-d",)))

    def pid(self, id: str) -> int:
        """Its first process."""
        return int(json.loads(output(self("inspect", id)))[0]["State"]["Pid"])

    def removal(self, *ids: str) -> list[str]:
        """What kills and removes them."""
        return self("rm", "-f", "-t", "0", *ids)

    def remove(self, *ids: str) -> None:
        """Kills and removes them."""
        if ids:
            spend(self.removal(*ids))

    def close(self) -> None:
        """Removes whatever a contest that broke off has left."""
        self.remove(*output(self("ps", "-a", "-q")).split())


class Runc:
    """runc on bundles of its own, one for each container."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.rootfs = place / "rootfs"
        unpack(IMAGE, self.rootfs)
        self.count = 0
        self.ids: set[str] = set()

    def __call__(self, *words: str) -> list[str]:
        return ["runc", "--root", f"{self.place}/state", *words]

    def bundle(self, id: str, *words: str) -> str:
        """A directory with the config.json of a container."""
        place = self.place / id
        place.mkdir()
        output(self("spec", "--bundle", str(place)))
        config = json.loads((place / "config.json").read_text())
        config["process"].update(terminal=False, args=list(words))
        config["root"]["path"] = str(self.rootfs)
        config["linux"]["cgroupsPath"] = f"/minirun-bench/{id}"
        config["linux"]["resources"].update(RESOURCES)
        config["linux"]["seccomp"] = filter_of(config["process"]["capabilities"]["bounding"])
        (place / "config.json").write_text(json.dumps(config))
        return str(place)

    def start(self) -> str:
        """A container that does nothing; its id."""
        self.count += 1
        id = f"minirun-bench-{os.getpid()}-{self.count}"
        bundle = self.bundle(id, *FOREVER)
        self.ids.add(id)
        spend(self("run", "--detach", "--bundle", bundle, id))
        return id

    def remove(self, *ids: str) -> None:
        """Kills and removes them, one by one: runc has no other way."""
        for id in ids:
            spend(self("delete", "-f", id))
            self.ids.discard(id)

    def close(self) -> None:
        """Removes whatever a contest that broke off has left."""
        self.remove(*list(self.ids))


def installed() -> Path:
    """The console script of the minirun that pip installed beside this interpreter.

    Raises SystemExit where there is only a source tree, or no byte code: both
    would measure Python's compiler.
    """
    script = Path(sys.executable).with_name("minirun")
    ask = "import minirun; print(minirun.__file__)"
    package = Path(output([sys.executable, "-I", "-c", ask]))
    if "site-packages" not in package.parts or not script.exists():
        raise SystemExit("bench: minirun is not installed here: pip install . and use that interpreter")
    if not Path(importlib.util.cache_from_source(str(package))).exists():
        raise SystemExit("bench: the installed minirun has no byte code: python -m compileall it")
    return script


def unpack(archive: Path, rootfs: Path) -> None:
    """The layers of the one image in an OCI archive, as a directory."""
    rootfs.mkdir()
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> Any:
            return tar.extractfile("blobs/" + digest.replace(":", "/"))

        index = json.load(tar.extractfile("index.json"))
        manifest = json.load(blob(index["manifests"][0]["digest"]))
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=blob(layer["digest"])) as inner:
                inner.extractall(rootfs)  # our own image


@functools.cache
def profile() -> dict[str, Any]:
    """containers-common's profile, from which podman makes its filter."""
    loaded: dict[str, Any] = json.loads(PROFILE.read_text())
    return loaded


def filter_of(held: list[str]) -> dict[str, Any]:
    """That profile as OCI writes it, for a container with the capabilities ``held``."""
    machine = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}[platform.machine()]
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    family = next(each for each in profile()["archMap"] if each["architecture"] == machine)
    rules = []
    for rule in profile()["syscalls"]:
        wants, shuns = rule.get("includes") or {}, rule.get("excludes") or {}
        if not set(wants.get("caps", ())) <= set(held) or set(shuns.get("caps", ())) & set(held):
            continue
        if arch not in wants.get("arches", (arch,)) or arch in shuns.get("arches", ()):
            continue
        parts = ("names", "action", "args", "errnoRet")
        rules.append({name: rule[name] for name in parts if rule.get(name) is not None})
    return {
        "defaultAction": profile()["defaultAction"],
        "defaultErrnoRet": profile()["defaultErrnoRet"],
        "architectures": [machine, *family["subArchitectures"]],
        "syscalls": rules,
    }


@contextmanager
def contestants() -> Iterator[dict[str, Any]]:
    """minirun, and those of runc and podman that are there; afterwards nothing is left of them."""
    found: dict[str, Any] = {}
    with ExitStack() as after:  # all of it, the last first, also when a contest breaks off
        before = cgroups()
        after.callback(lambda: remove_empty(cgroups() - before))
        place = Path(tempfile.mkdtemp(prefix="minirun-bench-", dir="/var/tmp"))
        after.callback(release, place)
        for name, kind in (("minirun", Minirun), ("runc", Runc), ("podman", Podman)):
            if name != "minirun" and not shutil.which(name):
                print(f"bench: {name} is not here, nothing is compared with it", file=sys.stderr)
                continue
            if name == "runc" and not PROFILE.exists():
                print(f"bench: runc has no filter without {PROFILE}, so it is left out", file=sys.stderr)
                continue
            (place / name).mkdir()
            found[name] = kind(place / name)
            after.callback(found[name].close)
        yield found


def release(place: Path) -> None:
    """Removes ``place``, first what is mounted in it: podman binds its store onto itself."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{place}/"):
            spend(["umount", mount])
    shutil.rmtree(place)


def cgroups() -> set[Path]:
    """The directories that contestants leave in each hierarchy."""
    return {path for name in CGROUPS for path in Path("/sys/fs/cgroup").glob(f"*/{name}")} | {
        path for name in CGROUPS if (path := Path("/sys/fs/cgroup") / name).is_dir()
    }


def remove_empty(trees: set[Path]) -> None:
    """Removes trees of cgroups; one with a process in it stays."""
    for path in (path for tree in trees for path, _, _ in os.walk(tree, topdown=False)):
        try:
            os.rmdir(path)
        except OSError:
            continue
