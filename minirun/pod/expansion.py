"""``$(VAR)`` in a manifest: what a container's words become before it starts.

Layer ``pod``, pure. Not a shell: there is nothing but ``$(NAME)`` and ``$$``, and
what is not understood stays as it is written. Used for ``command``, ``args``,
the values of ``env`` and ``subPathExpr``. Read ``environment.py`` next.
Kubernetes: "Define Dependent Environment Variables".
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def expand_all(words: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """``expand`` for each of ``words``: a command and its arguments."""
    return tuple([expand(word, variables) for word in words])


def expand(text: str, variables: Mapping[str, str], missing: list[str] | None = None) -> str:
    """``text`` with each ``$(NAME)`` replaced by the variable's value, and ``$$`` by ``$``.

    A name that ``variables`` does not have stays as it is written, and is
    added to ``missing``. A value is not looked through again.
    """
    parts = []
    position = 0
    while (sign := text.find("$", position)) >= 0:
        parts.append(text[position:sign])
        part, position = _part(text, sign, variables, missing)
        parts.append(part)
    return "".join(parts) + text[position:]


def _part(text: str, sign: int, variables: Mapping[str, str], missing: list[str] | None) -> tuple[str, int]:
    """What the ``$`` at ``sign`` begins has become, and where the text goes on behind it."""
    if text.startswith("$$", sign):
        return "$", sign + 2
    end = text.find(")", sign) if text.startswith("$(", sign) else -1
    if end < 0:
        return "$", sign + 1  # never closed, or no reference at all
    name = text[sign + 2 : end]
    if name in variables:
        return variables[name], end + 1
    if missing is not None:
        missing.append(name)
    return text[sign : end + 1], end + 1
