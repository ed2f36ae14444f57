"""The way back: objects as the YAML that read.py takes.

Layer: pod; pure. For `pod generate` and `pod inspect --format yaml`. Only what
was said is written, defaults are not; a text that would be read as something
else (``yes``, ``22:22``, ``0755``) gets its quotes.
"""

from __future__ import annotations

from minirun.pod.manifest.nodes import resolved
from minirun.values import TYPE_CHECKING, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from minirun.values import Value


def write(objects: Sequence[Value]) -> str:
    """The manifest of ``objects`` (Pod, ConfigMap, Secret ...), a document each."""
    import yaml  # type: ignore[import-untyped]  # it comes without types

    return str(
        yaml.dump_all(
            [as_written(one) for one in objects],
            Dumper=_dumper(yaml),
            sort_keys=False,
            default_flow_style=False,
            allow_unicode=True,
            width=110,
        )
    )


def as_written(given: Value) -> dict[str, Any]:
    """An object as dicts and lists, with its apiVersion and kind at the top."""
    head = {field: getattr(given, field) for field in ("apiVersion", "kind")}
    return {**head, **plain(given)}


def _dumper(yaml: Any) -> Any:
    """libyaml's emitter where there is one, and texts as Kubernetes has to read them."""
    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]  # known at run time only
        def ignore_aliases(self, data: Any) -> bool:
            """The same list twice is written twice: that is easier to read."""
            return True

    def text(dumper: Any, value: str) -> Any:
        style = None
        if "\n" in value.rstrip("\n"):
            style = "|"
        elif resolved(value) != value:
            style = '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper
