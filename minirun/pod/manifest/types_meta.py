"""Names, labels and selectors: what every Kubernetes object begins with.

Layer: pod. The field names are the API's own. Read next: types_container.py.
API reference: "ObjectMeta v1 meta".
"""

from __future__ import annotations

from minirun.values import Value


class OwnerReference(Value):
    """Who made an object: a ReplicaSet its pods."""

    apiVersion: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    blockOwnerDeletion: bool | None = None


class ObjectMeta(Value):
    """What an object is called, and what is said about it."""

    name: str = ""
    generateName: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str = ""
    creationTimestamp: str | None = None
    # What an API server writes, and a manifest that was read back from one has.
    deletionTimestamp: str | None = None
    deletionGracePeriodSeconds: int | None = None
    finalizers: tuple[str, ...] = ()
    generation: int | None = None
    managedFields: tuple[dict[str, object], ...] = ()
    ownerReferences: tuple[OwnerReference, ...] = ()
    resourceVersion: str = ""
    selfLink: str = ""


class LabelSelectorRequirement(Value):
    """A label's key, ``In``, ``NotIn``, ``Exists`` or ``DoesNotExist``, and values."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Value):
    """Which objects are meant: all of its requirements have to hold."""

    matchLabels: dict[str, str] = {}
    matchExpressions: tuple[LabelSelectorRequirement, ...] = ()


class LocalObjectReference(Value):
    """An object of the same namespace, by name."""

    name: str = ""
