"""What the tests share: a store with busybox in it, the command, and the look for leaks.

The tests have directories of their own; nothing is read from or written to
/var/lib/minirun and /run/minirun, and the containers of the machine's user are
left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import minirun as package
from tests import leaks

REPOSITORY = Path(__file__).resolve().parents[1]
#: Where the test bed keeps its kernel too (tests/bed): it is fetched once, and `make clean` removes it.
BED = REPOSITORY / "build" / "bed"
#: Tests in here start no containers: the look for leaks would only cost time.
QUIET = "unit"


class Minirun:
    """Runs the command ``minirun``, the same code as the tests import."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.state = state
        # The interpreter of the tests, and the package wherever they have it from.
        found = str(Path(package.__path__[0]).parent)
        self.environment = {**os.environ, "PYTHONPATH": found}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def command(self, *words: str) -> list[str]:
        """The words of ``minirun WORDS`` with the tests' own directories."""
        where = ["--root", str(self.root), "--state", str(self.state)]
        return [sys.executable, "-m", "minirun", *where, *words]

    def __call__(
        self,
        *words: str,
        input: str | None = None,
        check: bool = False,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``minirun WORDS``; ``check`` fails the test if the exit code is not 0.

        ``env`` is added to the environment; the other options are subprocess.run's.
        """
        if input is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(
            self.command(*words),
            input=input,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            env={**self.environment, **(env or {})},
            check=False,
            **options,
        )
        if check and done.returncode:
            pytest.fail(f"minirun {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[Any]:
        """Starts ``minirun WORDS`` without waiting for it; options as subprocess.Popen's."""
        options.setdefault("env", self.environment)
        return subprocess.Popen(self.command(*words), **options)

    def remove_all(self) -> None:
        """Removes every container of this store."""
        for directory in (self.root / "containers", self.state / "containers"):
            ids = sorted(os.listdir(directory)) if directory.is_dir() else []
            if ids:
                self("rm", "-f", *ids)


@pytest.fixture(scope="session")
def test_dir() -> Iterator[Path]:
    """A directory for this session, on a file system that an overlay may write to."""
    directory = Path(tempfile.mkdtemp(prefix="minirun-tests.", dir=_place_for_an_upperdir()))
    directory.chmod(0o711)  # the root of a user namespace is nobody here, and has to pass
    yield directory
    if (directory / "state" / "networks").is_dir():  # bridges outlive the tests that made them
        Minirun(directory / "root", directory / "state")("network", "prune", "-f", check=True)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def root_dir(test_dir: Path) -> Path:
    """--root of the session: images (busybox, once asked for) and containers."""
    return test_dir / "root"


@pytest.fixture(scope="session")
def state_dir(test_dir: Path) -> Path:
    """--state of the session."""
    return test_dir / "state"


@pytest.fixture(scope="session")
def busybox_archive() -> Path:
    """The image busybox as an OCI archive, built by rootfs-builder if it is not up to date."""
    if os.geteuid():
        pytest.skip("this machine lacks: root")
    done = built("busybox")
    assert done.returncode == 0, done.stderr
    return REPOSITORY / "rootfs-builder" / "output" / "busybox.tar"


@pytest.fixture(scope="session")
def busybox_rootfs(test_dir: Path, busybox_archive: Path) -> Path:
    """busybox as a plain directory, for tests without images and for the peers; leave it as it is."""
    rootfs = test_dir / "busybox"
    with tarfile.open(busybox_archive) as archive:
        layer = max(archive.getmembers(), key=lambda member: member.size)
        content = archive.extractfile(layer)
        assert content
        rootfs.mkdir()
        subprocess.run(["tar", "-xzp", "--numeric-owner", "-C", rootfs], input=content.read(), check=True)
    return rootfs


@pytest.fixture(scope="session")
def loaded_minirun(root_dir: Path, state_dir: Path, busybox_archive: Path) -> Minirun:
    """The command, on a store with busybox in it. Ask for ``minirun`` instead."""
    command = Minirun(root_dir, state_dir)
    command("load", "-i", str(busybox_archive), check=True)
    return command


@pytest.fixture(scope="session")
def kernels(test_dir: Path) -> Path:
    """A directory with Debian's kernel, by its release; fetched if it is not there yet."""
    with one_at_a_time("kernel"):
        done = Minirun(BED, test_dir / "bed-state")("vm", "kernel", "fetch", timeout=110)
    found = BED / "kernels"
    if done.returncode and not any(found.glob("*/vmlinux")):
        pytest.skip(f"this machine lacks: a kernel, and cannot fetch one: {done.stderr.strip()}")
    return found


@pytest.fixture(scope="session")
def machines(loaded_minirun: Minirun, kernels: Path) -> Minirun:
    """The command, on the session's store with a kernel in it. Ask for ``vm`` instead."""
    place = loaded_minirun.root / "kernels"
    place.mkdir(exist_ok=True)
    for release in kernels.glob("[0-9]*"):
        if not (place / release.name).exists():
            (place / release.name).symlink_to(release)
    return loaded_minirun


@pytest.fixture
def minirun(loaded_minirun: Minirun) -> Iterator[Minirun]:
    """``minirun("run", "--rm", "busybox", "true")``: the result as subprocess.run has it.

    The containers that the test leaves are removed after it.
    """
    yield loaded_minirun
    loaded_minirun.remove_all()


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails a test that leaves a mount, a cgroup or a process behind."""
    if QUIET in Path(request.path).relative_to(REPOSITORY).parts:
        yield
        return
    look = leaks.Look((str(request.getfixturevalue("test_dir")), str(tmp_path_factory.getbasetemp())))
    yield
    if left := look.left():
        pytest.fail("the test left behind:\n  " + "\n  ".join(sorted(left)))


def built(*images: str) -> subprocess.CompletedProcess[str]:
    """Has rootfs-builder make its archives of ``images``, where they are not up to date."""
    builder = [sys.executable, "-B", str(REPOSITORY / "rootfs-builder" / "build.py"), *images]
    with one_at_a_time("busybox" if images == ("busybox",) else "debian"):
        return subprocess.run(builder, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """``what`` is made once for everybody: of several that run tests now, one makes it, the others wait."""
    (REPOSITORY / "build").mkdir(exist_ok=True)
    with open(REPOSITORY / "build" / f".{what}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _place_for_an_upperdir() -> str:
    """/tmp or TMPDIR; where that is an overlay itself (a test in a container), /dev/shm."""
    usual = tempfile.gettempdir()
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", usual], capture_output=True, text=True, check=False
    ).stdout
    return "/dev/shm" if "overlay" in kind else usual
