"""The graph in Mermaid, which code hosts and editors draw inside Markdown.

Layer ``network``. Pure. See https://mermaid.js.org/syntax/flowchart.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.network.map.graph import PAIR, PORT, UPON, WAY, Box, Edge, graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minirun.network.map.model import Map

#: The brackets that make a box's shape.
_SHAPES = {
    "interface": ("[", "]"),
    "bridge": ("{{", "}}"),
    "nat": ("[/", "\\]"),
    "unknown": (">", "]"),
    "world": ("((", "))"),
}
_ARROWS = {PORT: "---", PAIR: "<-->", UPON: "-.-", WAY: "---"}
_PLAIN = set(" .,:/[]()-_@*·→%")


def mermaid(map: Map) -> str:
    """The map as a Mermaid flowchart."""
    drawn = graph(map)
    lines = ["flowchart LR"]
    for frame in drawn.frames:
        lines.append(f'  subgraph {frame.id}["{escaped(frame.title)}"]')
        lines += [f"    {_box(box)}" for box in frame.boxes]
        lines.append("  end")
    lines += [f"  {_box(box)}" for box in drawn.boxes]
    lines += [f"  {_edge(edge)}" for edge in drawn.edges]
    lines += _styles([box for frame in drawn.frames for box in frame.boxes])
    return "\n".join(lines) + "\n"


def _box(box: Box) -> str:
    left, right = _SHAPES[box.shape]
    return f'{box.id}{left}"{"<br/>".join(map(escaped, box.lines))}"{right}'


def _edge(edge: Edge) -> str:
    label = f'|"{escaped(edge.label)}"|' if edge.label else ""
    return f"{edge.left} {_ARROWS[edge.kind]}{label} {edge.right}"


def _styles(boxes: Sequence[Box]) -> Iterator[str]:
    down = ",".join(box.id for box in boxes if box.down)
    if down:
        yield "  classDef down stroke-dasharray: 4"
        yield f"  class {down} down"


def escaped(text: str) -> str:
    """``text`` between quotes: whatever might mean something becomes ``#NUMBER;``."""
    return "".join(sign if sign.isalnum() or sign in _PLAIN else f"#{ord(sign)};" for sign in text)
