"""What ConfigMaps and Secrets hold: bytes by key.

Layer ``pod``, pure. A ConfigMap has text (``data``) and base64
(``binaryData``), a Secret base64 (``data``) and text that wins over it
(``stringData``). Read by ``environment.py`` and ``volumes/contents.py``.
"""

from __future__ import annotations

import binascii

from minirun.errors import InvalidInput, NotFound
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minirun.pod.downward import Context
    from minirun.pod.manifest.types import ConfigMap, Secret

CONFIG_MAP, SECRET = "ConfigMap", "Secret"


def of(context: Context, kind: str, name: str, optional: bool | None) -> dict[str, bytes] | None:
    """All that the ConfigMap or Secret ``name`` holds; None if it is not there and ``optional``.

    Raises NotFound, and InvalidInput for base64 that is none.
    """
    if kind == CONFIG_MAP:
        found: ConfigMap | Secret | None = context.config_maps.get(name)
    else:
        found = context.secrets.get(name)
    if found is not None:
        return _held(found)
    if optional:
        return None
    raise NotFound(
        f"{kind} {name!r} is not there",
        "the file has none of that name in the pod's namespace",
        "add it to the file as a document of its own, or say optional: true",
    )


def text_of(context: Context, kind: str, name: str, optional: bool | None) -> dict[str, bytes] | None:
    """``of`` without ``binaryData``: what can become a variable."""
    found = of(context, kind, name, optional)
    if found is None or kind == SECRET:
        return found
    return {key: found[key] for key in context.config_maps[name].data}


def pick(found: Mapping[str, bytes], kind: str, name: str, key: str, optional: bool | None) -> bytes | None:
    """What stands at ``key``; None if that is not there and ``optional``. Raises NotFound."""
    if key in found or optional:
        return found.get(key)
    raise NotFound(
        f"{kind} {name!r} has no key {key!r}",
        f"it has {', '.join(sorted(found)) or 'none'}",
        "correct the key, or say optional: true",
    )


def _held(found: ConfigMap | Secret) -> dict[str, bytes]:
    name, text, coded = found.metadata.name, *_parts(found)
    return {
        **{key: _decoded(found.kind, name, key, value) for key, value in coded.items()},
        **{key: value.encode(errors="surrogateescape") for key, value in text.items()},
    }


def _parts(found: ConfigMap | Secret) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Plain text by key, and base64 by key."""
    if found.kind == CONFIG_MAP:
        return found.data, found.binaryData  # type: ignore[union-attr]  # its kind says so
    return found.stringData, found.data  # type: ignore[union-attr]  # as above


def _decoded(kind: str, name: str, key: str, value: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            f"{kind} {name!r}: the value of {key!r} is no base64",
            str(error),
            "encode it with `base64 -w0`, or give it as text in stringData"
            if kind == SECRET
            else "encode it with `base64 -w0`, or give it as text in data",
        ) from error
