"""Whose tutorial this is: the home, the files' owner, and how far they have come.

Layer ``learn``. Chapters need root, learners are often not root but `sudo`:
their files then belong to them, not to root. Progress is one JSON file under
XDG_STATE_HOME, replaced as a whole, so that it is never half-written. Read
``folder.py`` next.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
from pathlib import Path

from minirun.errors import InvalidInput
from minirun.values import Value, decode, plain, replace


class Progress(Value):
    """How far a learner has come. Exercises and hints are called ``4/hostname``."""

    directory: str
    """Where the chapters' folders are made."""
    chapter: int = 0
    """The one that was started last; 0 is none."""
    started: tuple[int, ...] = ()
    passed: tuple[str, ...] = ()
    hints: dict[str, int] = {}
    """How many of an exercise's hints were given."""


def home() -> Path:
    """The home of whoever learns: under sudo it is theirs, not root's."""
    user = _sudo_user()
    return Path(user.pw_dir) if user else Path.home()


def hand_over(path: Path) -> None:
    """Gives a file that root made to whoever called sudo."""
    user = _sudo_user()
    if user:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _sudo_user() -> pwd.struct_passwd | None:
    name = os.environ.get("SUDO_USER", "")
    if os.geteuid() or name in ("", "root"):
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name)
    return None


def file() -> Path:
    """Where the progress is kept."""
    state = os.environ.get("XDG_STATE_HOME", "")
    place = Path(state) if os.path.isabs(state) else home() / ".local" / "state"
    return place / "minirun" / "learn.json"


def load() -> Progress:
    """The progress so far; of a beginner if there is none. Raises InvalidInput for a file that is broken."""
    try:
        text = file().read_text()
    except FileNotFoundError:
        return beginner()
    try:
        return decode(text, Progress, f"the progress in {file()}")
    except InvalidInput as error:
        raise InvalidInput(error.what, error.why, "`minirun learn reset` begins anew") from error


def beginner() -> Progress:
    """The progress of somebody who has not begun."""
    return Progress(directory=str(home() / "minirun-learn"))


def save(progress: Progress) -> None:
    """Replaces the progress: written beside it, then renamed."""
    place = file()
    missing = [one for one in (place.parent, *place.parent.parents) if not one.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(plain(progress), indent=2) + "\n")
    for one in (*missing, draft):
        hand_over(one)
    draft.rename(place)


def forget() -> None:
    """Removes the progress, and the directory if nothing else is in it."""
    file().unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        file().parent.rmdir()


def with_passed(progress: Progress, exercise: str) -> Progress:
    """The progress with one more exercise passed."""
    return replace(progress, passed=tuple(dict.fromkeys((*progress.passed, exercise))))
