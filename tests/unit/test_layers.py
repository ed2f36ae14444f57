"""The layers are what pyproject.toml says, and the kernel's doors are in linux/ alone."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import minirun

PACKAGE = Path(minirun.__path__[0])
REPOSITORY = Path(__file__).resolve().parents[2]

#: Modules that the start of a container imports. Extend it as the way grows.
START_PATH = [
    "minirun.cli",
    "minirun.container.create",
    "minirun.container.options",
    "minirun.container.plan",
    "minirun.container.state",
    "minirun.container.wiring",
    "minirun.errors",
    "minirun.image.store",
    "minirun.isolation.cgroups",
    "minirun.isolation.devices",
    "minirun.isolation.hostname",
    "minirun.isolation.mounts",
    "minirun.isolation.namespaces",
    "minirun.isolation.overlay",
    "minirun.isolation.privileges",
    "minirun.isolation.syscall_filter",
    "minirun.isolation.users",
    "minirun.linux.mount",
    "minirun.linux.process",
    "minirun.network.attach",
    "minirun.spec",
    "minirun.steps",
    "minirun.values",
]

#: What costs more than a container may (design.md: bare Python is 9 of 40 ms).
TOO_DEAR = {
    "argparse",
    "click",
    "dataclasses",
    "hashlib",
    "inspect",
    "msgspec",
    "pathlib",
    "pyroute2",
    "re",
    "rich",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "typing",
    "yaml",
}


def test_arrows_point_down_only() -> None:
    """The contracts of [tool.importlinter] hold."""
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.skip("this machine lacks: import-linter")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [lint, "--no-cache"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("source", ["import ctypes", "from ctypes import CDLL", "os.fork()", "clone3()"])
def test_the_search_for_doors_finds_them(source: str) -> None:
    """The test below can fail."""
    assert list(kernel_doors(ast.parse(source)))


def test_only_linux_opens_the_kernels_doors() -> None:
    """ctypes, fork and clone3 are met nowhere but in linux/."""
    met = [
        f"{path.relative_to(PACKAGE)}:{line}: {door}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "linux"
        for line, door in kernel_doors(ast.parse(path.read_text()))
    ]
    assert met == []


@pytest.mark.parametrize("module", START_PATH)
def test_a_start_imports_only_what_it_can_afford(module: str) -> None:
    """No module on the way of `minirun run` brings an import that costs milliseconds."""
    assert module_file(module), "START_PATH names a module that is not there"
    program = f"import sys, {module}; print(*sys.modules)"
    # -S: site may import anything before our first line (a .pth file), and hide it so.
    places = [str(PACKAGE.parent), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert TOO_DEAR.intersection(done.stdout.split()) == set()


def kernel_doors(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a module imports ctypes or the raw system calls, forks, or calls clone3 itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            yield from ((node.lineno, name) for name in names if name.split(".")[0] in ("ctypes", "_ctypes"))
            yield from ((node.lineno, name) for name in names if name == "minirun.linux.libc")
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("os.fork", "os.forkpty", "pty.fork", "clone3", "libc.raw", "libc.syscall"):
                yield node.lineno, name


def module_file(module: str) -> Path | None:
    """The file of a module, if there is one."""
    place = PACKAGE.parent.joinpath(*module.split("."))
    found = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()]
    return found[0] if found else None
