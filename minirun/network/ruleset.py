"""All that the kernel's packet filter holds, whoever made it, as the program nft tells it.

Layer ``network``. For looking only; what is ours is made and changed by ``table.py``
without any program. nft reads a ruleset piece by piece, and on a machine where others
change it meanwhile it may print a part of it only, and call that a success: then it is
asked again. See nft(8), libnftables-json(5); read ``forwarding.py`` next.
"""

from __future__ import annotations

import subprocess
from typing import Any

from minirun.errors import StepFailed

#: Patience with the program, in seconds, and with the changes of others.
PATIENCE = 10.0
TRIES = 8
_COMMAND = ("nft", "-j", "list", "ruleset")


def read() -> tuple[dict[str, Any], str]:
    """The ruleset of this network namespace, and the text of it.

    Raises OSError and subprocess.SubprocessError where the program is missing, fails or
    hangs, StepFailed for an answer that is never whole.
    """
    import json

    for _ in range(TRIES):
        said = subprocess.run(_COMMAND, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
        try:
            found: dict[str, Any] = json.loads(said)
        except ValueError:
            continue
        return found, said
    raise StepFailed(
        f"{' '.join(_COMMAND)} does not tell all of the ruleset",
        f"{TRIES} times what it printed was no JSON: others change the rules all the time",
        "try again when the machine is quieter",
    )
