"""Commands over several containers: one that fails does not stop the others.

Layer ``cli``. As docker's: the names of those that worked on stdout, an error
for each other on stderr, and the exit code of the first error.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from minirun.container.state import Store
from minirun.errors import MinirunError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.cli.settings import Settings
    from minirun.container.state import Home


def store_of(settings: Settings) -> Store:
    """The store that the command line names."""
    return Store(root=settings.root, state=settings.state)


def each(
    settings: Settings,
    names: Sequence[str],
    work: Callable[[Home], object],
    echo: bool = True,
    missing: bool = False,
) -> int:
    """Does ``work`` for each container, then says its name; the exit code.

    ``missing`` says that one which is not there is no error.
    """
    store = store_of(settings)
    code = 0
    for name in names:
        try:
            work(store.find(name))
        except MinirunError as error:
            if missing and isinstance(error, NotFound):
                continue
            print(f"minirun: {error}", file=sys.stderr)
            code = code or error.exit_code
        else:
            if echo:
                print(name)
    return code
