"""The variables of a container: from ``envFrom`` and ``env`` to names with values.

Layer ``pod``, pure: what the sources refer to comes in a ``Context``. First all
of ``envFrom`` in its order, then ``env`` in its own; the later one wins. A value
may use ``$(NAME)`` of what came before it (``expansion.py``). Whatever is not
there makes the container wait with the reason CreateContainerConfigError,
unless it is ``optional``. Read ``downward.py`` beside it, ``volumes/`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, MinirunError, Unsupported
from minirun.pod import downward, expansion, keys
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minirun.pod.downward import Context
    from minirun.pod.manifest.types import Container, EnvFromSource, EnvVar, EnvVarSource


class CreateContainerConfigError(MinirunError):
    """What a container's manifest refers to is not there; the waiting reason of that name."""


def environment(container: Container, context: Context) -> dict[str, str]:
    """The variables of ``container``, by name.

    Bytes of a Secret that are no UTF-8 are kept by surrogateescape, as
    os.fsencode has it. Raises CreateContainerConfigError for what is referred
    to and not there, or cannot be a variable.
    """
    variables: dict[str, str] = {}
    place = ""
    try:
        for number, source in enumerate(container.envFrom):
            place = f"envFrom[{number}]"
            for name, value in _all(source, context):
                variables[name] = _checked(name, value)
        for each in container.env:
            place = f"env {each.name}"
            found = _value(each, container, context, variables)
            if found is not None:
                variables[each.name] = _checked(each.name, found)
    except MinirunError as error:
        what = f"container {container.name}: {place}: {error.what}"
        raise CreateContainerConfigError(what, error.why, error.remedy) from error
    return variables


def _all(source: EnvFromSource, context: Context) -> Iterator[tuple[str, str]]:
    """Each key of a whole ConfigMap or Secret."""
    reference, kind = source.configMapRef or source.secretRef, keys.CONFIG_MAP
    if source.configMapRef is None:
        kind = keys.SECRET
    if reference is None:
        raise InvalidInput("it has no source", "", "add configMapRef or secretRef")
    found = keys.text_of(context, kind, reference.name, reference.optional)
    for key, value in (found or {}).items():
        yield source.prefix + key, _text(value)


def _value(each: EnvVar, container: Container, context: Context, variables: Mapping[str, str]) -> str | None:
    """The value of one variable; None if its source is optional and not there."""
    if each.value or each.valueFrom is None:
        return expansion.expand(each.value or "", variables)
    return _from(each.valueFrom, container, context)


def _from(source: EnvVarSource, container: Container, context: Context) -> str | None:
    if source.fieldRef:
        return downward.variable(context, source.fieldRef.fieldPath)
    if source.resourceFieldRef:
        return downward.resource(context, source.resourceFieldRef, container)
    for kind, wanted in (
        (keys.CONFIG_MAP, source.configMapKeyRef),
        (keys.SECRET, source.secretKeyRef),
    ):
        if wanted:
            held = keys.text_of(context, kind, wanted.name, wanted.optional) or {}
            found = keys.pick(held, kind, wanted.name, wanted.key, wanted.optional)
            return None if found is None else _text(found)
    if source.fileKeyRef:
        raise Unsupported(
            "fileKeyRef is not supported",
            "minirun does not read variables out of a volume's files",
            "have the program read the file, or use a ConfigMap",
        )
    raise InvalidInput("valueFrom has no source", "", "add fieldRef, configMapKeyRef, secretKeyRef ...")


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _checked(name: str, value: str) -> str:
    """``value``, if execve(2) can pass on ``NAME=value``."""
    if not name or "=" in name or "\0" in name:
        raise InvalidInput(
            f"{name!r} cannot be a variable's name", "it is empty, or has a = or a null byte", "rename it"
        )
    if "\0" in value:
        raise InvalidInput(
            f"the value of {name} cannot be a variable's",
            "it has a null byte, at which it would end",
            "mount it as a file instead",
        )
    return value
