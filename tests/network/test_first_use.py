"""The default network of a second store: another bridge, other subnets, and nobody is told to choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from minirun.errors import Conflict
from minirun.linux import namespace
from minirun.linux.namespace import CloneFlag
from minirun.linux.trial import in_child
from minirun.network import bridge, first_use, networks
from tests.needs import needs

pytestmark = needs("root", "nft")


def test_two_stores_that_have_chosen_at_once(tmp_path: Path) -> None:
    """Both want minirun0: who comes second moves, once; one that a user has made does not."""
    first, second, third = (str(tmp_path / name) for name in ("first", "second", "third"))

    def race() -> None:
        namespace.unshare(CloneFlag.NEWNET)
        ours, theirs = networks.default(first), networks.default(second)
        asked = networks.create(third, networks.DEFAULT)
        assert ours.bridge == theirs.bridge == asked.bridge and ours.subnets[0] == theirs.subnets[0]
        assert first_use.settled(first, f"{first}/state", ours) == ours
        moved = first_use.settled(second, f"{second}/state", theirs)
        assert moved.bridge != ours.bridge and moved.id == theirs.id
        assert not {each.cidr for each in moved.subnets} & {each.cidr for each in ours.subnets}
        assert networks.load(second, networks.DEFAULT) == moved
        assert not bridge.ensure(moved, f"{second}/state"), "it is there"
        # Who had read it before finds where it is now.
        assert first_use.settled(second, f"{second}/state", theirs) == moved
        with pytest.raises(Conflict, match="is not network minirun's"):
            first_use.settled(third, f"{third}/state", asked)

    in_child(race)
