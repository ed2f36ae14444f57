"""Frozen, typed records: the nouns of minirun (a Spec, a Mount, a Step ...).

Free to every layer. A ``Value`` is declared like a dataclass and costs a
microsecond to import: no ``typing``, no ``inspect``, no generated source,
because every start of a container pays for what it imports. Where a record
comes from outside (an OCI ``config.json``, a pod manifest), ``decode`` has
msgspec check and build it; msgspec takes the class for a dataclass, and its
errors name the place: ``Expected `str`, got `int` - at `$.mounts[0].type```.

    class Mount(Value):
        destination: str
        options: tuple[str, ...] = ()
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own constant, without the price of typing
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    V = TypeVar("V", bound="Value")
    T = TypeVar("T")
else:

    def dataclass_transform(**_options):
        """What mypy reads to treat a Value as a dataclass; nothing at run time."""
        return lambda kind: kind


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _ValueType(type):
    """Turns the annotations of a class body into slots and defaults."""

    __fields__: tuple[str, ...]
    __defaults__: dict[str, Any]

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _ValueType:
        own = tuple(body.get("__annotations__", ()))
        fields: tuple[str, ...] = ()
        defaults: dict[str, Any] = {}
        for base in bases:
            fields += getattr(base, "__fields__", ())
            defaults.update(getattr(base, "__defaults__", {}))
        defaults.update({field: body.pop(field) for field in own if field in body})
        body["__slots__"] = own
        kind = super().__new__(cls, name, bases, body)
        kind.__fields__ = fields + own
        kind.__defaults__ = defaults
        return kind


class Value(metaclass=_ValueType):
    """A record whose fields are set once, by keyword."""

    if TYPE_CHECKING:  # the metaclass has them; mypy looks here
        __fields__: ClassVar[tuple[str, ...]]
        __defaults__: ClassVar[dict[str, Any]]

    def __init__(self, **given: Any) -> None:
        put = object.__setattr__
        defaults = self.__defaults__
        for field in self.__fields__:
            if field in given:
                put(self, field, given.pop(field))
            elif field in defaults:
                put(self, field, defaults[field])
            else:
                raise TypeError(f"{type(self).__name__} needs {field}=")
        if given:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(given)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: use replace()")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, f) == getattr(other, f) for f in self.__fields__)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, f) for f in self.__fields__))

    def __repr__(self) -> str:
        shown = (f"{f}={getattr(self, f)!r}" for f in self.__fields__)
        return f"{type(self).__name__}({', '.join(shown)})"


def replace(value: V, **changes: Any) -> V:
    """A copy of ``value`` with some fields changed."""
    fields = {field: getattr(value, field) for field in value.__fields__}
    return type(value)(**{**fields, **changes})


def plain(value: Any) -> Any:
    """``value`` as dicts, lists and scalars, as JSON has them.

    Fields that stand at their default are left out: what remains is what was said.
    """
    if isinstance(value, Value):
        defaults = value.__defaults__
        return {
            field: plain(item)
            for field in value.__fields__
            if (item := getattr(value, field)) != defaults.get(field, plain)
        }
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def revive(raw: Any, kind: type[T]) -> T:
    """The way back from ``plain``, for a record that minirun itself wrote.

    Nothing is checked, and nothing is imported for it: the kinds of the inner
    values are read off the annotations. What comes from outside goes through
    ``decode``. Raises KeyError or TypeError for what ``plain`` did not write.
    """
    return kind(
        **{
            field: _revived(raw[field], *_inner(kind, field))
            for field in kind.__fields__  # type: ignore[attr-defined]  # a Value's
            if field in raw
        }
    )


def _inner(kind: Any, field: str) -> tuple[str, Any]:
    """The annotation of ``field``, and the Value class that it mentions, if any."""
    found = _INNER.get((kind, field))
    if found is None:
        found = _INNER[kind, field] = _look_up(kind, field)
    return found


#: Looked up once: a record has many values of few kinds.
_INNER: dict[tuple[Any, str], tuple[str, Any]] = {}


def _look_up(kind: Any, field: str) -> tuple[str, Any]:
    for base in kind.__mro__:
        text = base.__dict__.get("__annotations__", {}).get(field)
        if text is not None:
            names = vars(sys.modules[base.__module__])
            words = text.replace("[", " ").replace("]", " ").replace(",", " ").replace("|", " ").split()
            found = (names.get(word) for word in words)
            return text, next((value for value in found if isinstance(value, _ValueType)), None)
    raise KeyError(field)


def _revived(raw: Any, annotation: str, kind: Any) -> Any:
    if isinstance(raw, list):
        return tuple(revive(item, kind) if kind else item for item in raw)
    if kind is None or raw is None:
        return raw
    if annotation.startswith("dict["):
        return {key: revive(item, kind) for key, item in raw.items()}
    return revive(raw, kind)


def decode(raw: bytes | str, kind: type[T], what: str) -> T:
    """Builds a ``kind`` from JSON text; ``what`` names its origin in errors.

    Raises InvalidInput with the path of the wrong field. Unknown fields are
    passed over, as the OCI specifications demand of a runtime
    (config.md, "Extensibility").
    """
    import msgspec

    from minirun.errors import InvalidInput

    _teach_msgspec(kind)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{what} is not valid", str(error), "correct that field") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{what} is not JSON", str(error), "check it with `jq .`") from error


def convert(raw: Any, kind: type[T], what: str) -> T:
    """``decode`` for what is dicts and lists already."""
    import msgspec

    from minirun.errors import InvalidInput

    _teach_msgspec(kind)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{what} is not valid", str(error), "correct that field") from error


def _teach_msgspec(kind: Any) -> None:
    """Gives ``kind`` and every Value inside it the mark of a dataclass.

    msgspec builds dataclasses natively; ``__dataclass_fields__`` is all it
    looks at, and it is made here on first use so that a start without JSON
    never imports dataclasses (12 ms).
    """
    import dataclasses
    import typing

    if not isinstance(kind, _ValueType):
        for inner in typing.get_args(kind):
            _teach_msgspec(inner)
        return
    if "__dataclass_fields__" in kind.__dict__:
        return
    fields: dict[str, Any] = {}
    type.__setattr__(kind, "__dataclass_fields__", fields)
    hints = typing.get_type_hints(kind)
    for name in kind.__fields__:
        if name in kind.__defaults__:
            field: Any = dataclasses.field(default_factory=_giver(kind.__defaults__[name]))
        else:
            field = dataclasses.field()
        field.name, field.type = name, hints[name]
        field._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # msgspec asks for it
        fields[name] = field
        _teach_msgspec(hints[name])


def _giver(default: Any) -> Any:
    return lambda: default
