"""What a pod may refer to: the data of its own namespace."""

from __future__ import annotations

import pytest

from minirun.errors import NotFound
from minirun.pod import keys, node
from minirun.pod.manifest.types import ConfigMap, ObjectMeta, Pod, Secret
from minirun.pod.state import PodRecord
from tests.unit.pod_toys import pod


def test_data_of_another_namespace_is_not_meant() -> None:
    """Whatever its name; one that says no namespace is for whoever has none of its own."""
    places = ("shop", "bank", "")
    maps = [ConfigMap(metadata=ObjectMeta(name="c", namespace=place), data={"of": place}) for place in places]
    secret = Secret(metadata=ObjectMeta(name="s", namespace="bank"), stringData={"a": "b"})
    for place, found in (("default", b""), ("shop", b"shop"), ("bank", b"bank"), ("garden", b"")):
        made = Pod(metadata=ObjectMeta(name="p", namespace=place), spec=pod())
        record = PodRecord(
            uid="1", name="p", namespace=place, pod=made, config_maps=tuple(maps), secrets=(secret,)
        )
        context = node.context_of(record)
        assert keys.of(context, keys.CONFIG_MAP, "c", None) == {"of": found}
        if place == "bank":
            assert keys.of(context, keys.SECRET, "s", None) == {"a": b"b"}
        else:
            with pytest.raises(NotFound, match="Secret 's' is not there"):
                keys.of(context, keys.SECRET, "s", None)
