"""Which containers belong to which network: what the store knows, and the network layer does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.container.state import Record, Store


def name_of(store: Store) -> Callable[[str], str]:
    """A container's name by its id; the short id where there is none (any more)."""

    def name(id: str) -> str:
        record = record_of(store, id)
        return record.name if record else id[:12]

    return name


def record_of(store: Store, id: str) -> Record | None:
    """What was asked for, also of one that is being made."""
    from minirun.errors import MinirunError

    home = store.container(id)
    try:
        return home.record() if home.exists() else home.pending()
    except MinirunError:
        return None


def named_networks(store: Store) -> set[str]:
    """The networks that containers belong to, running or not."""
    from minirun.container.network_words import word

    records = [record_of(store, id) for id in store.ids()]
    return {word(endpoint) for record in records if record for endpoint in record.spec.endpoints}
