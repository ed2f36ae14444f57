"""``minirun vm kernel`` as a user meets it, on packages and a repository of the test's own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.needs import needs
from tests.unit import kernel_files
from tests.unit.kernel_files import RELEASE

PACKAGE = f"linux-image-{RELEASE}"


@pytest.fixture
def minirun(tmp_path: Path) -> Minirun:
    """The command, on a store without anything in it."""
    return Minirun(tmp_path / "root", tmp_path / "state")


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a small kernel."""
    path = tmp_path_factory.mktemp("deb") / f"{PACKAGE}.deb"
    path.write_bytes(kernel_files.deb(kernel_files.kernel_files()))
    return path


def fetched(minirun: Minirun) -> list[str]:
    """What is below ROOT/kernels, half-made things too."""
    return sorted(os.listdir(minirun.root / "kernels"))


def test_fetch_ls_rm(minirun: Minirun, deb: Path) -> None:
    """A kernel comes, is shown, is there already, and goes."""
    done = minirun("vm", "kernel", "fetch", "--deb", str(deb), check=True)
    assert (done.stdout, done.stderr) == (f"{RELEASE}\n", "")
    done = minirun("vm", "kernel", "fetch", "--deb", str(deb), check=True)
    assert (done.stdout, done.stderr) == (f"{RELEASE}\n", f"minirun: {RELEASE} is there already\n")
    shown = minirun("vm", "kernel", "ls", check=True).stdout.splitlines()
    assert shown[0].split() == ["RELEASE", "ORIGIN", "SIZE", "DRIVERS", "PATH"]
    assert shown[1].split()[:2] == [RELEASE, "fetched"] and " all " in shown[1]
    assert minirun("vm", "kernel", "ls", "-q", check=True).stdout.split()[0] == RELEASE
    row = json.loads(minirun("vm", "kernel", "ls", "--format", "json", check=True).stdout)[0]
    assert row["path"] == f"{minirun.root}/kernels/{RELEASE}/vmlinux" and row["size"] > 1000
    assert minirun("vm", "kernel", "rm", RELEASE, check=True).stdout == f"{RELEASE}\n"
    done = minirun("vm", "kernel", "rm", RELEASE)
    assert done.returncode == 125 and f"no such kernel: {RELEASE}" in done.stderr
    assert fetched(minirun) == []


def test_a_kernel_without_drivers_is_told_at_once(minirun: Minirun, tmp_path: Path) -> None:
    """Not only when a guest does not boot."""
    files = {name: data for name, data in kernel_files.kernel_files().items() if "9p" not in name}
    (tmp_path / "cloud.deb").write_bytes(kernel_files.deb(files))
    done = minirun("vm", "kernel", "fetch", "--deb", str(tmp_path / "cloud.deb"), check=True)
    assert "lacks 9p, 9pnet_virtio" in done.stderr
    assert "lacks 9p, 9pnet_virtio" in minirun("vm", "kernel", "ls", check=True).stdout


def test_flags_that_exclude_each_other(minirun: Minirun, deb: Path) -> None:
    """Nothing is guessed."""
    done = minirun("vm", "kernel", "fetch", "--package", PACKAGE, "--deb", str(deb))
    assert done.returncode == 125 and "exclude each other" in done.stderr


def test_two_at_once(minirun: Minirun, deb: Path) -> None:
    """Both succeed, and one kernel is there."""
    words = ["vm", "kernel", "fetch", "--deb", str(deb)]
    both = [minirun.popen(*words, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [one.communicate(timeout=60)[0] for one in both] == [f"{RELEASE}\n"] * 4
    assert fetched(minirun) == [RELEASE]


@needs("root", "unshare")
def test_a_full_disk(minirun: Minirun, tmp_path: Path) -> None:
    """The error says so, and what was written is removed."""
    files = kernel_files.kernel_files()
    files[f"./lib/modules/{RELEASE}/kernel/big.ko"] = os.urandom(1 << 20)
    (tmp_path / "big.deb").write_bytes(kernel_files.deb(files))
    minirun.root.mkdir()
    script = 'mount -t tmpfs -o size=512k none "$0" && { "$@"; code=$?; ls -A "$0/kernels"; exit $code; }'
    words = minirun.command("vm", "kernel", "fetch", "--deb", str(tmp_path / "big.deb"))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(minirun.root), *words],
        env=minirun.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125 and done.stdout == ""
    assert "cannot store the kernel\n  why: ENOSPC" in done.stderr and "free some space" in done.stderr


# --- by apt ---------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, deb: Path) -> Iterator[Callable[[bytes], dict[str, str]]]:
    """Makes a repository whose package has these bytes; the environment in which apt uses it."""

    def make(content: bytes) -> dict[str, str]:
        place = tmp_path / "repository"
        place.mkdir()
        (place / "kernel.deb").write_bytes(content)
        (place / "Packages").write_text(
            "Package: linux-image-amd64\nArchitecture: amd64\nVersion: 6.1.7-1\n"
            f"Depends: {PACKAGE} (= 6.1.7-1)\n"
            "Filename: ./none.deb\nSize: 1\nSHA256: 00\n\n"
            f"Package: {PACKAGE}\nArchitecture: amd64\nVersion: 6.1.7-1\nDepends: kmod, linux-base (>= 4.3)\n"
            f"Filename: ./kernel.deb\nSize: {deb.stat().st_size}\n"
            f"SHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n"
        )
        (place / "sources.list").write_text(f"deb [trusted=yes] file:{place} ./\n")
        settings = {
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
            "Dir::Etc::SourceList": f"{place}/sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State": f"{place}/state",
            "Dir::State::Status": "/dev/null",
            "Dir::Cache": f"{place}/cache",
        }
        for directory in ("state/lists/partial", "cache/archives/partial"):
            (place / directory).mkdir(parents=True)
        (place / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
        environment = {"APT_CONFIG": f"{place}/apt.conf"}
        update = ["apt-get", "update"]
        subprocess.run(update, env={**os.environ, **environment}, check=True, capture_output=True)
        return environment

    yield make


@needs("apt-get", "apt-cache")
def test_by_apt(minirun: Minirun, deb: Path, repository: Callable[[bytes], dict[str, str]]) -> None:
    """From the name of the metapackage to the kernel; what apt downloaded does not stay."""
    environment = repository(deb.read_bytes())
    done = minirun("vm", "kernel", "fetch", env=environment, check=True)
    assert (done.stdout, done.stderr) == (f"{RELEASE}\n", "")
    assert fetched(minirun) == [RELEASE]
    # Now the repository may go: what is there is not downloaded again.
    (Path(environment["APT_CONFIG"]).parent / "kernel.deb").unlink()
    done = minirun("vm", "kernel", "fetch", "--package", PACKAGE, env=environment, check=True)
    assert done.stderr == f"minirun: {RELEASE} is there already\n"


@needs("apt-get", "apt-cache")
def test_a_package_that_is_not_the_one_that_was_signed(
    minirun: Minirun, deb: Path, repository: Callable[[bytes], dict[str, str]]
) -> None:
    """apt says so, in its own words, and nothing is unpacked."""
    content = bytearray(deb.read_bytes())
    content[-1] ^= 1
    done = minirun("vm", "kernel", "fetch", env=repository(bytes(content)))
    assert done.returncode == 125 and "Hash Sum mismatch" in done.stderr and "try: " in done.stderr
    assert fetched(minirun) == []


@needs("apt-get", "apt-cache")
def test_a_package_that_apt_does_not_know(
    minirun: Minirun, deb: Path, repository: Callable[[bytes], dict[str, str]]
) -> None:
    """The same as without a network, where the lists are empty."""
    done = minirun("vm", "kernel", "fetch", "--package", "linux-image-9", env=repository(deb.read_bytes()))
    assert done.returncode == 125
    assert (
        "cannot find the package linux-image-9\n  why: No packages found\n  try: `apt-get update`"
        in done.stderr
    )


# --- in the middle --------------------------------------------------------------


@pytest.fixture
def slow_apt(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with an apt-get that says it has begun, on one pipe, and waits on another."""
    place = tmp_path / "bin"
    place.mkdir()
    for pipe in ("begun", "end"):
        os.mkfifo(place / pipe)
    scripts = {
        "apt-cache": "echo Version: 1",
        "apt-get": f"touch half.deb; echo begun > {place}/begun; read word < {place}/end; exit 1",
    }
    for name, script in scripts.items():
        (place / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / name).chmod(0o755)
    # Both ends, so that whoever opens one never waits, and apt-get ends with the test.
    begun, end = (os.open(place / pipe, os.O_RDWR) for pipe in ("begun", "end"))
    yield {"PATH": f"{place}:{os.environ['PATH']}", "BEGUN": str(begun)}
    os.write(end, b"\n" * 9)
    os.close(begun)
    os.close(end)


def begin(minirun: Minirun, slow_apt: dict[str, str]) -> subprocess.Popen[str]:
    """A fetch that has come to the download."""
    minirun.environment.update(slow_apt)
    words = ["vm", "kernel", "fetch", "--package", "linux-image-9"]
    process = minirun.popen(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert os.read(int(slow_apt["BEGUN"]), 100) == b"begun\n"
    return process


def test_interrupted(minirun: Minirun, slow_apt: dict[str, str]) -> None:
    """Ctrl-C removes what is half there."""
    process = begin(minirun, slow_apt)
    assert [name[:5] for name in fetched(minirun)] == [".tmp-"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130 and fetched(minirun) == []


def test_killed(minirun: Minirun, deb: Path, slow_apt: dict[str, str]) -> None:
    """What a killed fetch leaves, the next removes; while it goes on, none does."""
    process = begin(minirun, slow_apt)
    (half,) = fetched(minirun)
    minirun("vm", "kernel", "fetch", "--deb", str(deb), check=True)
    assert fetched(minirun) == [half, RELEASE]
    process.kill()
    process.communicate(timeout=30)
    assert fetched(minirun) == [half, RELEASE]
    minirun("vm", "kernel", "fetch", "--deb", str(deb), check=True)
    assert fetched(minirun) == [RELEASE]


def test_apt_fails(minirun: Minirun, slow_apt: dict[str, str], tmp_path: Path) -> None:
    """What it left of the package goes too."""
    process = begin(minirun, slow_apt)
    with open(tmp_path / "bin/end", "w") as end:
        end.write("\n")
    assert "cannot download the package linux-image-9" in process.communicate(timeout=30)[1]
    assert process.returncode == 125 and fetched(minirun) == []


def test_depmod_is_not_needed(minirun: Minirun, deb: Path, tmp_path: Path) -> None:
    """Without it, and with one that fails, the modules are found all the same."""
    place = tmp_path / "bin"
    place.mkdir()
    minirun("vm", "kernel", "fetch", "--deb", str(deb), env={"PATH": str(place)}, check=True)
    alone = (minirun.root / f"kernels/{RELEASE}/lib/modules/{RELEASE}/modules.dep").read_text()
    assert "kernel/fs/9p/9p.ko: " in alone
    shutil.rmtree(minirun.root)
    (place / "depmod").write_text("#!/bin/sh\nexit 1\n")
    (place / "depmod").chmod(0o755)
    minirun("vm", "kernel", "fetch", "--deb", str(deb), env={"PATH": f"{place}:/usr/bin:/bin"}, check=True)
    assert (minirun.root / f"kernels/{RELEASE}/lib/modules/{RELEASE}/modules.dep").read_text() == alone


@needs("depmod")
def test_the_index_is_as_depmods(minirun: Minirun, deb: Path) -> None:
    """The same modules, and the same aliases for each."""
    minirun("vm", "kernel", "fetch", "--deb", str(deb), env={"PATH": "/nonexistent"}, check=True)
    place = minirun.root / f"kernels/{RELEASE}"

    def index() -> tuple[set[str], set[str]]:
        texts = [
            (place / "lib/modules" / RELEASE / name).read_text() for name in ("modules.dep", "modules.alias")
        ]
        modules, aliases = ({line for line in text.splitlines() if line[0] != "#"} for text in texts)
        return {line.partition(":")[0] for line in modules}, aliases

    ours = index()
    assert len(ours[0]) == len(ours[1]) == len(kernel_files.MODULES)
    subprocess.run(["depmod", "-b", place, RELEASE], check=True)
    assert index() == ours
