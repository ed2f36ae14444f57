"""A session file: what is typed, and what comes; read, shown, and written anew.

Layer ``learn``. The form is that of a terminal, so that a session can be
pasted from one. Read ``matching.py`` next, for how outputs are compared.

    # needs: root, kvm
    $ minirun ps -q
    ‹id=3f1c›
    $ cat <<END
    > a further line
    > END
    a further line
    $ false
    [exit 1]

``python -m minirun.learn.sessions CHAPTER [NAME]`` runs the sessions of a
chapter up to NAME and prints that one as it really was.
"""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from minirun.errors import InvalidInput
from minirun.learn.matching import shown
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT = re.compile(r"\[exit (\d+)\]")


class Exchange(Value):
    """One command, and what it answers."""

    command: str
    """All its lines, without the prompts."""
    output: tuple[str, ...] = ()
    code: int = 0


class Session(Value):
    """A file of exchanges."""

    name: str
    needs: tuple[str, ...] = ()
    recorded: bool = False
    exchanges: tuple[Exchange, ...] = ()


def read(file: Path) -> Session:
    """The session in ``file``. Raises InvalidInput, which names the line."""
    return parse(file.read_text(), file.stem)


def parse(text: str, name: str) -> Session:
    """The session that ``text`` is. Raises InvalidInput."""
    needs: list[str] = []
    recorded = False
    blocks: list[list[str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.rstrip()
        if line.startswith("$ "):
            blocks.append([line])
        elif blocks:
            blocks[-1].append(line)
        elif line.startswith("# needs:"):
            needs += [each.strip() for each in line.removeprefix("# needs:").split(",") if each.strip()]
        elif line.split() == ["#", "recorded"]:
            recorded = True
        elif line and not line.startswith("#"):
            raise InvalidInput(
                f"session {name}, line {number}: {line!r}",
                "before the first `$ ` there is only the header",
                "write `# needs: ...`, `# recorded`, or a comment with #",
            )
    if not blocks:
        raise InvalidInput(f"session {name} has no command", "no line begins with `$ `", "")
    return Session(name=name, needs=tuple(needs), recorded=recorded, exchanges=tuple(map(_exchange, blocks)))


def _exchange(block: Sequence[str]) -> Exchange:
    command = [block[0][2:]]
    rest = list(block[1:])
    while rest and (rest[0] == ">" or rest[0].startswith("> ")):
        command.append(rest.pop(0)[2:])
    while rest and not rest[-1]:
        rest.pop()
    code = 0
    if rest and (found := _EXIT.fullmatch(rest[-1])):
        code = int(found[1])
        rest.pop()
    return Exchange(command="\n".join(command), output=tuple(trimmed(rest)), code=code)


def trimmed(lines: Sequence[str]) -> list[str]:
    """Without blanks at the ends of lines, and without empty lines at the end."""
    trimmed = [line.rstrip() for line in lines]
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return trimmed


def written(exchanges: Sequence[Exchange]) -> str:
    """The exchanges in the form of a session file."""
    lines: list[str] = []
    for one in exchanges:
        first, *more = one.command.split("\n")
        lines += [f"$ {first}", *(f"> {line}".rstrip() for line in more), *one.output]
        lines += [f"[exit {one.code}]"] if one.code else []
    return "".join(f"{line}\n" for line in lines)


def for_reader(session: Session) -> str:
    """The session as the text shows it: places that vary hold their example."""
    exchanges = [
        Exchange(command=one.command, output=tuple(map(shown, one.output))) for one in session.exchanges
    ]
    return written(exchanges)


def main(argv: Sequence[str]) -> int:
    """Prints what the sessions of a chapter really are; the exit code."""
    from minirun.learn.chapter import read as read_chapter
    from minirun.learn.classroom import Classroom
    from minirun.learn.stores import writers_store

    if not 1 <= len(argv) <= 2:
        print("usage: python -m minirun.learn.sessions CHAPTER-DIRECTORY [NAME]", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was begun is taken away all the same
    chapter = read_chapter(Path(argv[0]).resolve())
    wanted = argv[1] if len(argv) > 1 else None
    if wanted is not None:
        chapter.session(wanted)
    with Classroom(chapter, writers_store()) as room:
        for name in chapter.sessions:
            session = read(chapter.session(name))
            happened = room.play(session)
            if wanted is None:
                print(f"== {name}")
            if wanted in (None, name):
                print(written(happened), end="", flush=True)
            if name == wanted:
                break
    return 0


if __name__ == "__main__":
    from minirun.errors import MinirunError

    try:
        sys.exit(main(sys.argv[1:]))
    except MinirunError as error:
        sys.exit(f"minirun: {error}")
