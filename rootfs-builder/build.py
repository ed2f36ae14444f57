"""Builds images from recipes: ``build.py [RECIPE ...]`` (all, if none is named).

A recipe is a Python file beside this one; its name is the image's name. It says
what the image runs and fills a directory with the root file system:

    BASE = None                    the recipe whose layers lie below, or None
    COMMAND = ["sh"]               what `minirun run IMAGE` starts
    ENVIRONMENT = {"PATH": ...}
    def inputs() -> Inputs: ...    what else decides the outcome: versions, date
    def fill(rootfs: Path): ...    makes the tree

The tree becomes one layer (layer.py) and the layer an OCI image (layout.py) in
``output/NAME.tar``. Same recipe, same inputs: same digest, bit by bit. So a
recipe is built again only when its text or one of its inputs has changed.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUTPUT = HERE / "output"
ORDER = ["busybox", "debian", "python"]
sys.path.insert(0, str(HERE))

import layer  # noqa: E402  # found once the line above has been run
import layout  # noqa: E402  # likewise
from recipe import CannotBuild  # noqa: E402  # likewise


def main() -> int:
    """Builds the recipes that the command line names; returns the exit code."""
    names = sys.argv[1:] or ORDER
    try:
        for name in names:
            archive = build(name)
            print(f"{archive.relative_to(HERE.parent)}  {layout.digest_of(archive)}")
    except CannotBuild as error:
        print(f"rootfs-builder: {error}", file=sys.stderr)
        return 1
    return 0


def build(name: str, output: Path = OUTPUT) -> Path:
    """The archive of the image ``name`` in ``output``, built if it is not up to date."""
    recipe = load(name)
    base = build(recipe.BASE, output) if recipe.BASE else None
    archive, stamp = output / f"{name}.tar", output / f"{name}.inputs"
    decisive = fingerprint(name, recipe, base)
    if archive.exists() and stamp.exists() and stamp.read_text() == decisive:
        return archive
    print(f"building {name} ...", file=sys.stderr)
    output.mkdir(exist_ok=True)
    stamp.unlink(missing_ok=True)  # written last: half a build is none
    assemble(name, recipe, base, archive)
    stamp.write_text(decisive)
    return archive


def load(name: str) -> Any:
    """The recipe as a module. Raises CannotBuild if there is none of that name."""
    if name not in ORDER:
        raise CannotBuild(f"there is no recipe {name!r}; there are: {', '.join(ORDER)}")
    return importlib.import_module(name)


def fingerprint(name: str, recipe: Any, base: Path | None) -> str:
    """Everything that decides the outcome, in one string."""
    inputs = recipe.inputs()
    text = hashlib.sha256()
    for file in sorted({f"{name}.py", f"{recipe.BASE or name}.py", "recipe.py", "layer.py", "layout.py"}):
        text.update((HERE / file).read_bytes())
    below = layout.digest_of(base) if base else "nothing"
    return f"recipe {text.hexdigest()}\nversion {inputs.version}\ndate {inputs.date}\non {below}\n"


def assemble(name: str, recipe: Any, base: Path | None, archive: Path) -> None:
    """Fills a directory, packs what it adds to the base, and writes the image."""
    inputs = recipe.inputs()
    os.umask(0o022)  # the modes in the image are not the caller's choice
    with tempfile.TemporaryDirectory(prefix="rootfs-builder.") as scratch:
        rootfs, packed = Path(scratch, "rootfs"), Path(scratch, "layer.tar")
        rootfs.mkdir(mode=0o755)
        rootfs.chmod(0o755)
        recipe.fill(rootfs)
        below = layout.layers_of(base, Path(scratch)) if base else []
        layer.pack(rootfs, packed, inputs.date, below)
        image = layout.Image(
            name=name,
            date=inputs.date,
            command=recipe.COMMAND,
            environment=recipe.ENVIRONMENT,
            made_by=f"rootfs-builder/{name}.py ({inputs.version})",
        )
        layout.write(archive, image, packed, base)


if __name__ == "__main__":
    sys.exit(main())
