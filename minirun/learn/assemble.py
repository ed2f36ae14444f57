"""text.en.md -> README.md: the placeholders of a chapter's text are filled in.

Layer ``learn``. ``make tutorials`` runs it over all chapters; a test proves
that what is committed is up to date. The words that it adds itself are in
words.en.toml. Read ``sessions.py`` next.

    {{ predict }}   {{ session NAME }}   {{ code FILE#REGION }}
    {{ quote minirun/path.py:symbol }}   {{ exercises }}
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from minirun.errors import InvalidInput, MinirunError
from minirun.learn import excerpts, sessions
from minirun.learn.chapter import chapters, read
from minirun.learn.places import LANGUAGE, tutorials
from minirun.learn.words import own

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.learn.chapter import Chapter, Exercise

_PLACEHOLDER = re.compile(r"^\{\{ *(.*?) *\}\}$", re.MULTILINE)


def assemble(chapter: Chapter) -> str:
    """The README.md of a chapter. Raises MinirunError, which names the placeholder."""
    return _assembled(chapter.slug, chapter.text, lambda words: _fill(chapter, words))


def assemble_landing(place: Path) -> str:
    """The README.md of all chapters together, from text.en.md beside them: only quotes are filled in."""
    return _assembled(place.name, (place / f"text.{LANGUAGE}.md").read_text(), _quote)


def _assembled(name: str, text: str, fill: Callable[[str], str]) -> str:
    def filled(found: re.Match[str]) -> str:
        try:
            return fill(found[1])
        except MinirunError as error:
            why = f"{error.what}{': ' if error.why else ''}{error.why}"
            raise InvalidInput(f"{name}: {{{{ {found[1]} }}}}", why, error.remedy) from error

    head = own("assembled").format(text=f"text.{LANGUAGE}.md")
    body = _PLACEHOLDER.sub(filled, text)
    if stray := re.search(r"\{\{ *(predict|session|code|quote|exercises)\b[^}]*\}\}", body):
        raise InvalidInput(f"{name}: {stray[0]}", "a placeholder stands alone on its line", "")
    title, _, rest = body.partition("\n")
    return f"{title}\n\n<!-- {head} -->\n\n{rest.strip()}\n"


def _fill(chapter: Chapter, words: str) -> str:
    kind, _, rest = words.partition(" ")
    if kind == "session":
        return _session(sessions.read(chapter.session(rest)))
    if kind == "code":
        name, _, region = rest.partition("#")
        file = chapter.directory / name
        return _fenced(excerpts.language(name), excerpts.code(file, region))
    if words == "predict":
        return _predict(chapter)
    if words == "exercises":
        return "\n\n".join(_exercise(chapter, number, one) for number, one in enumerate(chapter.exercises, 1))
    return _quote(words, "../../")


def _quote(words: str, up: str = "../") -> str:
    kind, _, rest = words.partition(" ")
    if kind != "quote":
        raise InvalidInput("there is no such placeholder", "it is misspelt, or not for here", "")
    path, _, symbol = rest.partition(":")
    caption = own("quoted").format(path=path, link=f"{up}{path}", symbol=symbol)
    return f"{caption}\n\n{_fenced(excerpts.language(path), excerpts.quote(path, symbol))}"


def _session(session: sessions.Session) -> str:
    block = _fenced("console", sessions.for_reader(session))
    if not session.recorded:
        return block
    return f"{block}\n\n{own('recorded').format(needs=', '.join(session.needs))}"


def _predict(chapter: Chapter) -> str:
    prediction = chapter.prediction
    if not prediction:
        raise InvalidInput("there is no predict.en.toml", "", "write it")
    choices = "\n".join(f"{number}. {choice}" for number, choice in enumerate(prediction.choices, 1))
    answer = f"**{prediction.answer + 1}.** {prediction.because}"
    command = own("predict-command").format(number=chapter.number)
    return f"{prediction.question}\n\n{choices}\n\n{command}\n\n{_details(own('answer'), answer)}"


def _exercise(chapter: Chapter, number: int, exercise: Exercise) -> str:
    words = exercise.words
    parts = [f"### {number}. {words.title} {'★' * exercise.level}", words.task]
    commands = own("exercise-commands").format(file=exercise.file, name=exercise.name, number=chapter.number)
    parts.append(commands.strip())
    parts += [_details(own("hint").format(number=at), hint) for at, hint in enumerate(words.hints, 1)]
    solution = exercise.solution.name
    link = f"exercises/{exercise.name}/{solution}"
    parts.append(own("solution-at").format(file=solution, link=link))
    return "\n\n".join(parts)


def _details(summary: str, text: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def _fenced(language: str, text: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def main(argv: Sequence[str]) -> int:
    """Writes the README.md of the chapters in ``argv``, of all if there are none; the exit code.

    With --check it writes nothing, and ends with 1 if one is not up to date.
    """
    check = "--check" in argv
    given = [Path(word).resolve() for word in argv if word != "--check"]
    texts = {one.directory: assemble(one) for one in (map(read, given) if given else chapters())}
    if not given and (tutorials() / f"text.{LANGUAGE}.md").exists():
        texts[tutorials()] = assemble_landing(tutorials())
    code = 0
    for directory, text in texts.items():
        file = directory / "README.md"
        if file.exists() and file.read_text() == text:
            continue
        if not check:
            file.write_text(text)
        print(f"{file}: {'not up to date' if check else 'written'}")
        code = int(check)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MinirunError as error:
        sys.exit(f"minirun: {error}")
