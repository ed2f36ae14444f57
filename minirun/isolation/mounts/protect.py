"""What of /proc and /sys the container shall not read, or not write; and a second look.

Part of ``isolation/mounts``. Some files of procfs and sysfs are about the
whole machine, for no namespace holds them: a masked one has /dev/null over it,
a masked directory an empty tmpfs; a read-only one is bound to itself and
remounted. That such a thing was mounted does not say that it does what it
should: in 2025 runc could be made to mask with a symlink instead of /dev/null
(CVE-2025-31133), so what came out is looked at. Read ``isolation/devices.py``
next.
"""

from __future__ import annotations

from minirun.isolation.mounts.defaults import MASKED_DIRECTORIES, MASKED_FILES
from minirun.linux import masks
from minirun.spec import Spec
from minirun.steps import Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def protect(spec: Spec) -> Iterator[Step]:
    """Masks, read-only paths, a read-only root. To be done after ``pivot``."""
    masked, readonly = spec.linux.maskedPaths, spec.linux.readonlyPaths
    if readonly:
        # First: a read-only path below a masked one must not uncover it.
        yield Step(
            "make paths read-only",
            *(call for path in readonly for call in _make_readonly(path)),
            why="writing to them would change the whole machine",
            chapter="07",
        )
    if masked:
        yield Step(
            "mask paths",
            *(call for path in masked for call in _mask(path)),
            why="they tell about the whole machine: nothing is to be read there",
            chapter="07",
        )
    if masked or readonly:
        yield Step(
            "look at them again",
            Call(masks.check_readonly, list(readonly)),
            Call(masks.check_masked, list(masked)),
            why="a mask counts when it is seen to mask (CVE-2025-31133)",
            chapter="07",
        )
    if spec.root.readonly:
        yield Step(
            "make the root read-only",
            Call(masks.remount_readonly, "/"),
            Call(masks.check_readonly, ["/"]),
            why="last, for places to mount on had to be made in it",
            chapter="07",
        )


def _make_readonly(path: str) -> Iterator[Call]:
    yield Call(masks.bind_to_itself, path)
    yield Call(masks.remount_readonly, path)


def _mask(path: str) -> Iterator[Call]:
    """One call where we know what the path is, else one for each of the two."""
    if path not in MASKED_DIRECTORIES and not path.endswith("/thermal_throttle"):
        yield Call(masks.mask_file, path)
    if path not in MASKED_FILES:
        yield Call(masks.mask_directory, path)
