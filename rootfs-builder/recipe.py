"""What every recipe shares: its inputs, its one kind of error, and three small tools."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CannotBuild(Exception):
    """Something that the recipe needs is not there; the text is one line for the user."""


class Inputs(NamedTuple):
    """What decides an image besides the text of its recipe."""

    version: str
    """The packages it is made from, for a reader."""
    date: int
    """No file in the image is younger (seconds since 1970); the image's own date too."""


def date(of_the_input: int) -> int:
    """$SOURCE_DATE_EPOCH if it is set (reproducible-builds.org), else the input's own date."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", of_the_input))


def output_of(*command: str) -> str:
    """What a program prints; CannotBuild, with its complaint, if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotBuild(f"{command[0]} is not installed: apt-get install {command[0]}") from None
    if done.returncode:
        raise CannotBuild(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """A small file, with the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
