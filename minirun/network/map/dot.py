"""The graph in graphviz' language, and as the picture that its program makes of it.

Layer ``network``. See https://graphviz.org/doc/info/lang.html, dot(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.errors import MinirunError, Unsupported
from minirun.network.map.graph import PAIR, PORT, UPON, WAY, Box, Edge, Frame, graph

if TYPE_CHECKING:
    from minirun.network.map.model import Map

#: Patience with the program dot, in seconds.
PATIENCE = 120
_SHAPES = {
    "interface": 'shape=box style="rounded,filled" fillcolor="#eef4fb"',
    "bridge": 'shape=hexagon style=filled fillcolor="#fdf1d8"',
    "nat": 'shape=component style=filled fillcolor="#e6f4e6"',
    "unknown": "shape=box style=dotted",
    "world": 'shape=ellipse style=filled fillcolor="#f0f0f0"',
}
_ARROWS = {
    PORT: "dir=none",
    PAIR: 'dir=both color="#1a5fb4" penwidth=1.6',
    UPON: "dir=none style=dashed",
    WAY: "dir=none penwidth=1.2",
}


def svg(map: Map) -> bytes:
    """The map as an SVG picture, by graphviz. Raises Unsupported where that is not installed."""
    import shutil
    import subprocess

    if not shutil.which("dot"):
        raise Unsupported(
            "cannot draw the map as SVG",
            "there is no program dot",
            "install graphviz, or use --mermaid, which needs no program",
        )
    try:
        done = subprocess.run(
            ["dot", "-Tsvg"], input=dot(map).encode(), capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MinirunError(
            "cannot draw the map as SVG", f"dot was not ready after {PATIENCE} seconds", "use the text form"
        ) from error
    if done.returncode:
        raise MinirunError(
            "cannot draw the map as SVG", done.stderr.decode(errors="replace").strip(), "look at --dot"
        )
    return done.stdout


def dot(map: Map) -> str:
    """The map as a graph for graphviz."""
    drawn = graph(map)
    lines = [
        "digraph minirun {",
        '  rankdir=LR; fontname="sans-serif";',
        '  node [fontname="sans-serif" fontsize=11]; edge [fontname="sans-serif" fontsize=9];',
    ]
    for frame in drawn.frames:
        lines += _frame(frame)
    lines += [f"  {_box(box)}" for box in drawn.boxes]
    lines += [f"  {_edge(edge)}" for edge in drawn.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _frame(frame: Frame) -> list[str]:
    pen = 'color="#1a5fb4" penwidth=2' if frame.here else 'color="#888888"'
    head = f'  subgraph "cluster_{frame.id}" {{ label="{escaped(frame.title)}"; {pen.replace(" ", "; ")};'
    return [head, *(f"    {_box(box)}" for box in frame.boxes), "  }"]


def _box(box: Box) -> str:
    label = "\\n".join(map(escaped, box.lines))
    grey = ' fontcolor="#888888" color="#888888"' if box.down else ""
    return f'{box.id} [label="{label}" {_SHAPES[box.shape]}{grey}];'


def _edge(edge: Edge) -> str:
    label = f' label="{escaped(edge.label)}"' if edge.label else ""
    return f"{edge.left} -> {edge.right} [{_ARROWS[edge.kind]}{label}];"


def escaped(text: str) -> str:
    """``text`` between quotes: a backslash begins an escape there, and control signs have no glyph.

    A label is also read for HTML entities, so an ampersand is written as one.
    """
    plain = "".join(sign if sign.isprintable() else "?" for sign in text)
    return plain.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
