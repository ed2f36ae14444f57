"""The configuration of a network: a file in /etc/cni/net.d, read and checked.

Layer ``network``, part of ``cni``. ``NAME.conflist`` holds a list of plugins,
``NAME.conf`` and ``NAME.json`` hold one; the name that counts is the one in the
file. A plugin's part belongs to the plugin: what minirun does not know in it is
passed on as it stands. SPEC.md, section 1. Next: plugin.py.
"""

from __future__ import annotations

import os
from typing import Any  # at run time: msgspec reads the annotations

from minirun.errors import InvalidInput, MinirunError, NotFound, reason
from minirun.network.cni import versions
from minirun.values import Value, decode

#: Where configurations are looked for, unless the caller or NETCONFPATH (cnitool's word) says otherwise.
DIRECTORY = "/etc/cni/net.d"
_ENDINGS = (".conflist", ".conf", ".json")
_MOST_BYTES = 1 << 20


class Plugin(Value):
    """One plugin of a list: ``type`` is its program, ``object`` its part of the file as it stands."""

    type: str
    capabilities: dict[str, bool] = {}
    object: dict[str, Any] = {}


class NetworkConfig(Value):
    """A network's configuration; ``versions`` are the cniVersions it may be spoken in, the best first."""

    name: str
    versions: tuple[str, ...]
    plugins: tuple[Plugin, ...]
    disableCheck: bool = False
    disableGC: bool = False
    path: str = ""
    """The file, for errors."""


def load(name: str, directory: str = "") -> NetworkConfig:
    """The network ``name`` in ``directory`` (else NETCONFPATH, else /etc/cni/net.d).

    Of several with that name the first file counts, as with libcni. Raises NotFound.
    """
    directory = directory or os.environ.get("NETCONFPATH", DIRECTORY)
    found, broken = configs(directory)
    for config in found:
        if config.name == name:
            return config
    why = f"{directory} has {', '.join(config.name for config in found) or 'none'}"
    for error in broken:  # the one that was meant may be among them
        why += f"; {error.what}: {error.why}"
    remedy = f"put {name}.conflist there, or name another directory in NETCONFPATH"
    raise NotFound(f"no CNI network {name}", why, remedy)


def configs(directory: str = "") -> tuple[list[NetworkConfig], list[MinirunError]]:
    """Every network of ``directory`` by file name, and an error for each file that is broken.

    The first is what a kubelet's runtime takes for its pods.
    """
    directory = directory or os.environ.get("NETCONFPATH", DIRECTORY)
    found: list[NetworkConfig] = []
    broken: list[MinirunError] = []
    for path in _files(directory, _ENDINGS):
        try:
            found.append(read(path))
        except MinirunError as error:
            broken.append(error)
    return found, broken


def read(path: str) -> NetworkConfig:
    """The configuration in the file ``path``. Raises InvalidInput, or Unsupported for its version."""
    raw = _content(path)
    if not path.endswith(".conflist"):
        return _single(raw, path)
    known = decode(raw, _List, path)
    inline = decode(raw, dict[str, Any], path).get("plugins", [])
    plugins = [_plugin(part, whole, path) for part, whole in zip(known.plugins, inline, strict=True)]
    if not _truth(known.loadOnlyInlinedPlugins, "loadOnlyInlinedPlugins", path):
        plugins += _more_plugins(os.path.dirname(path), known.name)
    if not plugins:
        raise InvalidInput(f"{path} is not valid", "it lists no plugin - at `$.plugins`", "list one there")
    return NetworkConfig(
        name=_network_name(known.name, path),
        versions=versions.usable(known.cniVersion, known.cniVersions, path),
        plugins=tuple(plugins),
        disableCheck=_truth(known.disableCheck, "disableCheck", path),
        disableGC=_truth(known.disableGC, "disableGC", path),
        path=path,
    )


class _Part(Value):
    """What the runtime reads of a plugin's part."""

    type: str
    capabilities: dict[str, bool] = {}


class _Single(_Part):
    """A .conf: a plugin's part that names its network itself."""

    name: str
    cniVersion: str = ""


class _List(Value):
    """A .conflist. The switches may be the words "true" and "false" as well."""

    name: str
    cniVersion: str = ""
    cniVersions: tuple[str, ...] = ()
    disableCheck: bool | str = False
    disableGC: bool | str = False
    loadOnlyInlinedPlugins: bool | str = False
    plugins: tuple[_Part, ...] = ()


def _single(raw: bytes, path: str) -> NetworkConfig:
    whole = decode(raw, dict[str, Any], path)
    if "plugins" in whole and "type" not in whole:
        raise InvalidInput(f"{path} is not valid", "it holds a list of plugins", "call it .conflist")
    known = decode(raw, _Single, path)
    return NetworkConfig(
        name=_network_name(known.name, path),
        versions=versions.usable(known.cniVersion, (), path),
        plugins=(_plugin(known, whole, path),),
        path=path,
    )


def _more_plugins(directory: str, name: str) -> list[Plugin]:
    """Those in files of their own, DIRECTORY/NAME/*.conf, which come after those in the list."""
    found = []
    for path in _files(f"{directory}/{name}", (".conf",)):
        raw = _content(path)
        found.append(_plugin(decode(raw, _Part, path), decode(raw, dict[str, Any], path), path))
    return found


def _plugin(known: _Part, whole: dict[str, Any], path: str) -> Plugin:
    if not known.type or "/" in known.type or known.type in (".", "..") or "\0" in known.type:
        why = f"{known.type!r} is no file name - at `$.type` of a plugin"
        raise InvalidInput(f"{path} is not valid", why, "correct that field")
    return Plugin(type=known.type, capabilities=known.capabilities, object=whole)


def _network_name(name: str, path: str) -> str:
    if not is_name(name):
        raise InvalidInput(f"{path} is not valid", f"the name {name!r}: {NAME_RULE}", "correct that field")
    return name


def _truth(value: bool | str, field: str, path: str) -> bool:
    if isinstance(value, str) and value.lower() not in ("true", "false"):
        raise InvalidInput(f"{path} is not valid", f"{value!r} - at `$.{field}`", "make it true or false")
    return value.lower() == "true" if isinstance(value, str) else value


NAME_RULE = "letters, digits, . _ -, a letter or digit first, 100 at most"


def is_name(text: str) -> bool:
    """Whether ``text`` may be the name of a network, or a container's id (SPEC.md, "Parameters")."""
    plain = text.translate({ord(sign): None for sign in "._-"})
    return len(text) <= 100 and text[:1].isalnum() and plain.isalnum() and text.isascii()


def _files(directory: str, endings: tuple[str, ...]) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    paths = [f"{directory}/{name}" for name in names if name.endswith(endings)]
    return [path for path in paths if not os.path.isdir(path)]


def _content(path: str) -> bytes:
    """The bytes of a plain file; a pipe or a device would have us wait or read for ever."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            content = file.read(_MOST_BYTES + 1) if os.path.isfile(path) else None
    except OSError as error:
        raise InvalidInput(f"cannot read {path}", reason(error), "correct or remove that file") from error
    if content is None or len(content) > _MOST_BYTES:
        why = "it is no plain file" if content is None else "it is larger than 1 MiB"
        raise InvalidInput(f"cannot read {path}", why, "correct or remove that file")
    return content
