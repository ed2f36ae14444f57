"""Rules for metadata, and for what ConfigMaps and Secrets hold.

Layer: pod; pure. Read next: read.py. Kubernetes, "Labels and Selectors",
"Secrets".
"""

from __future__ import annotations

from minirun.pod.manifest import formats
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import ConfigMap, ObjectMeta, Secret

#: Of one object's data, and of its annotations, together.
MOST_DATA, MOST_ANNOTATIONS = 1024 * 1024, 256 * 1024

#: What a Secret of a certain type has to have.
_KEYS_OF_TYPE = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}


def metadata(given: ObjectMeta, path: str) -> Iterator[Finding]:
    """A name, labels and annotations."""
    if not given.name and not given.generateName:
        yield f"{path}.name", "is required"
    yield from labels(given, path)


def labels(given: ObjectMeta, path: str) -> Iterator[Finding]:
    """Labels and annotations; those of a template stand without a name."""
    for key, value in given.labels.items():
        if wrong := formats.label_value(value):
            yield f"{path}.labels[{key}]", wrong
    for key in given.annotations:
        if wrong := formats.label_key(key.lower()):
            yield f"{path}.annotations[{key}]", wrong
    if sum(len(key) + len(value) for key, value in given.annotations.items()) > MOST_ANNOTATIONS:
        yield f"{path}.annotations", f"is more than {MOST_ANNOTATIONS // 1024} KiB"


def check(given: ConfigMap | Secret) -> Iterator[Finding]:
    """The data of one object."""
    encoded = _encoded(given)
    for key, text in encoded.items():
        if _decoded(text) is None:
            name = "data" if given.kind == "Secret" else "binaryData"
            advice = ": give plain text in stringData" if given.kind == "Secret" else ""
            yield f"{name}[{key}]", f"is not base64{advice}"
    if given.kind == "ConfigMap":
        for key in encoded:
            if key in given.data:
                yield f"binaryData[{key}]", "stands in data too"
    files = _contents(given)
    if sum(len(data) for data in files.values()) > MOST_DATA:
        yield "data", f"is more than {MOST_DATA // 1024} KiB"
    for key in _KEYS_OF_TYPE.get(getattr(given, "type", ""), ()):
        if key not in files:
            yield "data", f"needs the key {key} in a Secret of this type"


def _contents(given: ConfigMap | Secret) -> dict[str, bytes]:
    """The bytes by key; what is not base64 has been said, and is left out."""
    plain = getattr(given, "stringData", None)
    plain = given.data if plain is None else plain
    encoded = {key: _decoded(text) for key, text in _encoded(given).items()}
    found = {key: data for key, data in encoded.items() if data is not None}
    # stringData wins over data; a ConfigMap's two have no key in common.
    return {**found, **{key: text.encode() for key, text in plain.items()}}


def _encoded(given: ConfigMap | Secret) -> dict[str, str]:
    binary = getattr(given, "binaryData", None)
    return given.data if binary is None else binary


def _decoded(text: str) -> bytes | None:
    import binascii

    try:
        # Line breaks are passed over, as Go does; anything else that is foreign is not.
        return binascii.a2b_base64(text.replace("\n", "").replace("\r", ""), strict_mode=True)
    except ValueError:
        return None
