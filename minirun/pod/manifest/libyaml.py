"""libyaml's events, without the rest of PyYAML.

Layer: pod; pure. A reader of manifests wants the C parser, its events and its
errors. Importing ``yaml`` brings all that is written in Python as well (readers,
constructors, regular expressions): 10 ms, as much as Python itself takes to start.
So the C half is imported by itself, in a package that has of the other half what
that asks for while it is loaded. Read ``nodes.py`` next.
"""

from __future__ import annotations

import sys

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: Modules of the other half in which the C half looks up an error when it is loaded (ReaderError ...).
_STRANGERS = (
    *("reader", "scanner", "parser", "composer", "constructor"),
    *("emitter", "serializer", "representer"),
)


def load() -> Any:
    """``yaml``, or what a reader needs of it: a loader, events, errors."""
    if "yaml" not in sys.modules:
        try:
            return _c_half()
        except (ImportError, AttributeError):
            pass  # a PyYAML without libyaml, or one that asks for more
    import yaml  # type: ignore[import-untyped]  # it comes without types

    return yaml


def events(yaml: Any, text: str) -> Iterator[Any]:
    """The events of ``text``; ``yaml`` is what ``load`` gave. Raises its YAMLError."""
    parser = (getattr(yaml, "CSafeLoader", None) or yaml.SafeLoader)(text)
    while parser.check_event():
        yield parser.get_event()


def _c_half() -> Any:
    """A package ``yaml`` for the time of the import; whoever imports yaml later gets all of it."""
    found = (finder.find_spec("yaml", None) for finder in sys.meta_path)
    spec = next((one for one in found if one), None)
    if spec is None:
        raise ImportError("there is no PyYAML")
    package: Any = type(sys)("yaml")
    package.__path__ = spec.submodule_search_locations
    sys.modules["yaml"] = package
    try:
        from yaml import error, events, nodes, tokens  # noqa: F401  # the C half finds them in the package

        class ReaderError(error.YAMLError):  # type: ignore[misc]  # known at run time only
            """A character that no YAML may have."""

            def __init__(self, name: str, position: int, character: int, encoding: str, reason: str):
                super().__init__(f"unacceptable character #x{character:04x}: {reason}")

        for module in _STRANGERS:
            name = f"{module.capitalize()}Error"
            kind = ReaderError if module == "reader" else error.MarkedYAMLError
            setattr(package, module, type(module, (), {name: kind}))
        from yaml import _yaml
    finally:
        del sys.modules["yaml"]

    class Half:
        """What nodes.py needs."""

        CSafeLoader = _yaml.CParser
        YAMLError = error.YAMLError

    for name in events.__dict__:
        if name.endswith("Event"):
            setattr(Half, name, getattr(events, name))
    return Half
