"""Dockerfile instructions that change an image's configuration and nothing else.

Layer ``image``. What `import --change` accepts, each as in a Dockerfile: ENV,
CMD, ENTRYPOINT, USER, WORKDIR, LABEL, EXPOSE, VOLUME, STOPSIGNAL. ``apply``
works on the "config" object of the configuration document (image-spec,
config.md), as it will be written.
"""

from __future__ import annotations

import json
import re
import shlex

from minirun.errors import InvalidInput
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: A configuration that is being written: JSON, with OCI's field names.
Config = dict[str, "Any"]


def apply(instruction: str, config: Config) -> None:
    """Does one instruction, such as ``CMD ["sh"]``. Raises InvalidInput."""
    word, _, rest = instruction.strip().partition(" ")
    action = _ACTIONS.get(word.upper())
    if action is None:
        known = ", ".join(_ACTIONS)
        raise InvalidInput(
            f"cannot apply {instruction!r}",
            f"{word!r} is no instruction that is known here",
            f"use one of {known}",
        )
    try:
        if not rest.strip():
            raise ValueError("something must follow the word")
        action(config, rest.strip())
    except ValueError as error:
        raise InvalidInput(
            f"cannot apply {instruction!r}", str(error), "write it as in a Dockerfile"
        ) from error


def _command(field: str) -> Callable[[Config, str], None]:
    def change(config: Config, rest: str) -> None:
        config[field] = _list(rest) or ["/bin/sh", "-c", rest]

    return change


def _list(rest: str) -> list[str]:
    """``["a", "b"]``, or nothing if it is not written so."""
    if not rest.startswith("["):
        return []
    try:
        found = json.loads(rest)
    except json.JSONDecodeError:
        return []  # docker takes it for a shell command too
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("the list must have strings in it")
    return found


def _env(config: Config, rest: str) -> None:
    for key, value in _pairs(rest):
        others = [one for one in config.get("Env", []) if not one.startswith(f"{key}=")]
        config["Env"] = [*others, f"{key}={value}"]


def _label(config: Config, rest: str) -> None:
    config["Labels"] = {**config.get("Labels", {}), **dict(_pairs(rest))}


def _pairs(rest: str) -> list[tuple[str, str]]:
    """``a=1 b="2 3"``, or the older ``a 1``."""
    words = shlex.split(rest)
    if words and "=" not in words[0]:
        key, _, value = rest.partition(" ")
        if not value:
            raise ValueError(f"{rest!r} has no value: NAME=VALUE")
        return [(key, value.strip())]
    pairs = [tuple(word.split("=", 1)) for word in words]
    for pair in pairs:
        if len(pair) != 2 or not pair[0]:
            raise ValueError(f"{'='.join(pair)!r} is no NAME=VALUE")
    return [(pair[0], pair[1]) for pair in pairs]


def _user(config: Config, rest: str) -> None:
    config["User"] = rest


def _workdir(config: Config, rest: str) -> None:
    import posixpath

    config["WorkingDir"] = posixpath.normpath(posixpath.join(config.get("WorkingDir", "") or "/", rest))


def _expose(config: Config, rest: str) -> None:
    ports: dict[str, dict[str, str]] = {}
    for word in rest.split():
        if not re.fullmatch(r"\d{1,5}(-\d{1,5})?(/(tcp|udp|sctp))?", word):
            raise ValueError(f"{word!r} is no port: 80, 80/tcp, 8000-8010/udp")
        first, _, protocol = word.partition("/")
        low, _, high = first.partition("-")
        if not 0 < int(low) <= int(high or low) <= 65535:
            raise ValueError(f"{word!r} is out of range: ports go from 1 to 65535")
        for port in range(int(low), int(high or low) + 1):
            ports[f"{port}/{protocol or 'tcp'}"] = {}
    config["ExposedPorts"] = {**config.get("ExposedPorts", {}), **ports}


def _volume(config: Config, rest: str) -> None:
    for path in _list(rest) or rest.split():
        if not path.startswith("/"):
            raise ValueError(f"the volume {path!r} is no absolute path")
        config.setdefault("Volumes", {})[path] = {}


def _stop_signal(config: Config, rest: str) -> None:
    import signal

    name = rest.upper() if rest.upper().startswith("SIG") else f"SIG{rest.upper()}"
    number = int(rest) if rest.isascii() and rest.isdigit() else getattr(signal, name, 0)
    if not 1 <= number <= signal.SIGRTMAX and not name.startswith(("SIGRTMIN+", "SIGRTMAX-")):
        raise ValueError(f"{rest!r} is no signal")
    config["StopSignal"] = rest


_ACTIONS: dict[str, Callable[[Config, str], None]] = {
    "CMD": _command("Cmd"),
    "ENTRYPOINT": _command("Entrypoint"),
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
