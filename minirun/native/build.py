"""Compiles the C programs beside this file into static executables in ``bin/``.

Two ways in: ``pip install .`` (hatchling calls ``get_build_hook``, so that the
wheel carries the programs) and ``python -m minirun.native.build`` in a source
checkout, which is what ``make native`` does. Outside the layers: nothing of
minirun imports it at run time. Read monitor.c next.

The programs stay alive beside every container, so what counts is their memory:
static, and against musl where musl-gcc is installed (a page or two of heap and
relocations less than with glibc).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BIN = HERE / "bin"

FLAGS = ["-std=gnu11", "-Os", "-Wall", "-Wextra", "-static", "-fno-pie", "-no-pie"]
#: Every function in a section of its own, and those that nobody calls left out.
SMALL = ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-s"]
#: pause.c is its own C library: then what counts is what the linker adds.
ALONE = [
    "-nostdlib",
    "-ffreestanding",
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
    "-fno-ident",
    "-Wl,--build-id=none",
    "-Wl,-z,noseparate-code",  # headers, code and text in one page, not in three
]
OF_ITS_OWN = {"pause": ALONE}
#: musl-gcc hides the kernel's own headers (linux/*.h), which musl does not bring.
KERNEL_HEADERS = ["/usr/include", f"/usr/include/{sysconfig.get_config_var('MULTIARCH')}"]


class CannotCompile(Exception):
    """No compiler, or it found a mistake; the text is one line for the user."""


def get_build_hook() -> Any:
    """The class that hatchling runs before it packs a wheel (or installs an editable one)."""
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class CompileHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is no dependency, so Any
        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            try:
                compile_all()
            except CannotCompile as error:
                sys.exit(f"minirun: {error}")
            # Programs for this kind of machine, for any Python that is recent enough.
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"

    return CompileHook


def compile_all(into: Path = BIN, extra: tuple[str, ...] = ()) -> list[Path]:
    """Compiles every ``*.c`` that is newer than its program; returns the programs.

    ``extra`` are flags for the compiler. Raises CannotCompile.
    """
    into.mkdir(exist_ok=True)
    newest_rule = os.stat(__file__).st_mtime_ns
    headers = [header.stat().st_mtime_ns for header in HERE.glob("*.h")]
    programs = []
    for source in sorted(HERE.glob("*.c")):
        program = into / source.stem
        changed = max(source.stat().st_mtime_ns, newest_rule, *headers)
        if not program.exists() or program.stat().st_mtime_ns < changed:
            compile_one(source, program, extra)
        programs.append(program)
    return programs


def compile_one(source: Path, program: Path, extra: tuple[str, ...] = ()) -> None:
    """Compiles one program; it takes its place whole or not at all."""
    # The temporary name is our own: two builds in one tree do not meet.
    unfinished = program.with_name(f".{program.name}.{os.getpid()}")
    flags = [*FLAGS, *SMALL, *OF_ITS_OWN.get(source.stem, ()), *extra]
    command = [*compiler(), *flags, "-o", str(unfinished), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        raise CannotCompile(f"cannot compile {source.name} with {command[0]}: {_hint(done.stderr)}")
    unfinished.chmod(0o755)
    unfinished.replace(program)


def compiler() -> list[str]:
    """The command of the compiler: $CC, else musl-gcc, else cc. Raises CannotCompile."""
    given = os.environ.get("CC", "").split()
    if given:
        return given
    if shutil.which("musl-gcc"):
        return ["musl-gcc", *(word for place in KERNEL_HEADERS for word in ("-idirafter", place))]
    if shutil.which("cc"):
        return ["cc"]
    raise CannotCompile("no C compiler found: apt-get install gcc libc6-dev (musl-tools: smaller programs)")


def _hint(complaint: str) -> str:
    if "cannot find -lc" in complaint or "fatal error" in complaint:
        return "apt-get install libc6-dev linux-libc-dev (or musl-tools) brings libc.a and the headers"
    return "see the compiler's words above"


def main() -> int:
    """``--check`` compiles elsewhere, with every warning an error, and keeps nothing."""
    try:
        if sys.argv[1:] == ["--check"]:
            with tempfile.TemporaryDirectory() as elsewhere:
                compile_all(Path(elsewhere), ("-Werror", "-Wshadow"))
        else:
            for program in compile_all():
                print(f"{program}: {program.stat().st_size} bytes")
    except CannotCompile as error:
        print(f"minirun: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
