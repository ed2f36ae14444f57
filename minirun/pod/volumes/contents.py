"""The files of configMap, secret, projected and downwardAPI volumes.

Part of ``pod/volumes``, pure: from a source to ``{path: File}``. Without ``items``
every key is a file; with them, only those, at the paths that they give.
``optional`` is the source's: nothing is missing then. ``payload.py`` writes the
files; read it next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported
from minirun.pod import downward, keys
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.pod.downward import Context
    from minirun.pod.manifest.types import DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection

#: Readable by every user of the container.
DEFAULT_MODE = 0o644


class File(Value):
    """What a file holds, and who may read it."""

    content: bytes
    mode: int = DEFAULT_MODE


def files_of(volume: Volume, context: Context) -> dict[str, File]:
    """The files of a volume, by their path in it. Raises NotFound, InvalidInput, Unsupported."""
    name = volume.name
    if source := volume.configMap:
        mode = _mode(source.defaultMode)
        files = _of_keys(context, keys.CONFIG_MAP, source.name, source.items, source.optional, mode)
    elif secret := volume.secret:
        mode = _mode(secret.defaultMode)
        files = _of_keys(context, keys.SECRET, secret.secretName, secret.items, secret.optional, mode)
    elif fields := volume.downwardAPI:
        files = _of_fields(context, fields.items, _mode(fields.defaultMode))
    else:
        assert volume.projected  # the last of those that come here
        files = {}
        for number, each in enumerate(volume.projected.sources):
            files |= _of_projection(f"{name}: sources[{number}]", each, context, volume.projected.defaultMode)
    for path in files:
        _check(name, path, files)
    return files


def _of_projection(
    place: str, source: VolumeProjection, context: Context, default_mode: int | None
) -> dict[str, File]:
    mode = _mode(default_mode)
    for kind in ("serviceAccountToken", "clusterTrustBundle", "podCertificate"):
        if getattr(source, kind) is not None:
            raise Unsupported(
                f"volume {place}: {kind} is not supported",
                "only the API server of a cluster can issue that",
                "take it out, or bring the file by a Secret",
            )
    if config_map := source.configMap:
        return _of_keys(
            context, keys.CONFIG_MAP, config_map.name, config_map.items, config_map.optional, mode
        )
    if secret := source.secret:
        return _of_keys(context, keys.SECRET, secret.name, secret.items, secret.optional, mode)
    return _of_fields(context, source.downwardAPI.items if source.downwardAPI else (), mode)


def _of_keys(
    context: Context, kind: str, name: str, items: Sequence[KeyToPath], optional: bool | None, mode: int
) -> dict[str, File]:
    held = keys.of(context, kind, name, optional)
    if not items or held is None:
        return {key: File(content=content, mode=mode) for key, content in (held or {}).items()}
    files = {}
    for item in items:
        content = keys.pick(held, kind, name, item.key, optional)
        if content is not None:
            files[item.path] = File(content=content, mode=mode if item.mode is None else item.mode)
    return files


def _of_fields(context: Context, items: Sequence[DownwardAPIVolumeFile], mode: int) -> dict[str, File]:
    files = {}
    for item in items:
        if item.fieldRef:
            text = downward.file(context.pod, item.fieldRef.fieldPath)
        elif item.resourceFieldRef:
            text = downward.resource(context, item.resourceFieldRef)
        else:
            raise InvalidInput(
                f"downwardAPI: {item.path} has no source", "", "add fieldRef or resourceFieldRef"
            )
        own = mode if item.mode is None else item.mode
        files[item.path] = File(content=text.encode(errors="surrogateescape"), mode=own)
    return files


def _mode(given: int | None) -> int:
    return DEFAULT_MODE if given is None else given


def _check(name: str, path: str, files: dict[str, File]) -> None:
    """Raises InvalidInput for a path that leads out of the volume, or through another file."""
    parts = path.split("/")
    why = ""
    if path.startswith("/") or ".." in parts or "\0" in path:
        why = "it leads out of the volume"
    elif path.startswith(".."):
        why = "names that begin so are for the links by which the files change at once"
    elif not all(part not in ("", ".") for part in parts) or max(map(len, parts)) > 255:
        why = "a part of it is no name"
    elif any("/".join(parts[:depth]) in files for depth in range(1, len(parts))):
        why = "it lies below what is a file"
    if why:
        raise InvalidInput(f"volume {name}: a file cannot be at {path!r}", why, "give it another path")
    if not 0 <= files[path].mode <= 0o777:
        raise InvalidInput(
            f"volume {name}: the mode of {path} cannot be {files[path].mode}",
            "it goes from 0 to 0777 (511)",
            "write octal numbers with a 0 first: 0644",
        )
