"""`import`: the tar of a root file system becomes an image of one layer.

Layer ``image``. The tar is taken as it is, compressed or not; the
configuration is written here. The same tar and the same changes give the same
id when SOURCE_DATE_EPOCH is set (reproducible-builds.org/specs/source-date-epoch).
Read ``intake.py`` next.
"""

from __future__ import annotations

import os
import time

from minirun.errors import InvalidInput
from minirun.image import layout
from minirun.image.archive import manifest_of, record_of
from minirun.image.config import machine
from minirun.image.instructions import apply
from minirun.image.intake import Intake
from minirun.image.reference import parse
from minirun.image.sources import stream
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO


def import_(
    root: str,
    source: str | BinaryIO,
    reference: str = "",
    changes: Sequence[str] = (),
    message: str = "",
) -> str:
    """Makes an image of the tar ``source``, a path or an open file; its id, ``sha256:...``.

    ``reference`` becomes its name unless it is empty. ``changes`` are
    Dockerfile instructions (instructions.py), ``message`` goes into the history.
    Raises InvalidInput for a bad name, change or tar; nothing is left then.
    """
    what = source if isinstance(source, str) else "the archive"
    name = parse(reference) if reference else None
    if name is not None and name.digest:
        raise InvalidInput(
            f"{reference!r} cannot be given to an image", "a digest follows from the content", ""
        )
    config: dict[str, Any] = {}
    for change in changes:
        apply(change, config)
    with Intake(root, f"import {what}") as intake, stream(source) as file:
        layer = intake.layer(file, end_mark=True)
        raw = _configuration(config, f"sha256:{layer.diff_id}", message)
        id = intake.document(raw)
        manifest = intake.document(manifest_of(id, len(raw), [layer]))
        record = record_of(id, layout.read_configuration(raw, "the configuration"), [layer], manifest)
        intake.commit([(record, (name.local,) if name else ())])
    return id


def _configuration(config: dict[str, Any], diff_id: str, message: str) -> bytes:
    moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
    history = {"created": created, "created_by": "minirun import"}
    return layout.as_json(
        {
            "created": created,
            "architecture": machine(),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{**history, "comment": message} if message else history],
        }
    )
