"""What a chapter consists of, read from its directory and checked.

Layer ``learn``. ``chapter.toml`` has the structure and no prose; the words are
in files that bear a language in their names. What is misspelt or missing is
refused by name, so that a writer meets it at once. Read ``excerpts.py`` next.

    tutorials/04-namespaces/
        chapter.toml  text.en.md  predict.en.toml  README.md  runtime.py  sessions/NAME.session
        exercises/NAME/  task.py solution.py check.py words.en.toml mistakes.toml
"""

from __future__ import annotations

import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

from minirun.errors import InvalidInput, NotFound
from minirun.learn.places import LANGUAGE, tutorials
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DIRECTORY = re.compile(r"\d\d-[a-z0-9-]+")


class Message(Value):
    """What a checker says for one key; ``says`` and ``hint`` may have ``{placeholders}``."""

    says: str
    hint: str = ""


class Words(Value):
    """The prose of an exercise, from its words.en.toml."""

    title: str
    task: str
    hints: tuple[str, ...]
    solved: str
    messages: dict[str, Message]


class Exercise(Value):
    """One exercise: files, words, and what chapter.toml says of it."""

    name: str
    directory: Path
    words: Words
    runtime: bool = False
    """Its program keeps the contract ``PROGRAM run ROOTFS CMD [ARG...]``: `check --impl` can use it."""
    level: int = 1
    needs: tuple[str, ...] = ()
    suffix: str = "py"
    """What a learner writes: ``py``, a program, or ``yaml``, a manifest (then it is task.yaml, and so on)."""

    @property
    def file(self) -> str:
        """What it is called in the learner's folder."""
        return f"{self.name}.{self.suffix}"

    @property
    def task(self) -> Path:
        """The unsolved form, which is copied for the learner."""
        return self.directory / f"task.{self.suffix}"

    @property
    def solution(self) -> Path:
        """One that passes."""
        return self.directory / f"solution.{self.suffix}"


class Prediction(Value):
    """A question to answer before anything is run."""

    question: str
    choices: tuple[str, ...]
    answer: int
    because: str
    session: str


class Chapter(Value):
    """A chapter as its directory tells it."""

    directory: Path
    number: int
    name: str
    title: str
    minutes: int
    script: str
    sessions: tuple[str, ...]
    exercises: tuple[Exercise, ...]
    needs: tuple[str, ...]
    prediction: Prediction | None

    @property
    def slug(self) -> str:
        """``04-namespaces``."""
        return self.directory.name

    @property
    def text(self) -> str:
        """The prose, with its placeholders."""
        return (self.directory / f"text.{LANGUAGE}.md").read_text()

    def session(self, name: str) -> Path:
        """The file of a session. Raises NotFound."""
        if name not in self.sessions:
            raise NotFound(
                f"chapter {self.slug} has no session {name!r}",
                "chapter.toml does not list it under sessions",
                f"those it has: {', '.join(self.sessions) or 'none'}",
            )
        return self.directory / "sessions" / f"{name}.session"

    def exercise(self, name: str) -> Exercise:
        """The exercise of that name. Raises NotFound."""
        for one in self.exercises:
            if one.name == name:
                return one
        raise NotFound(
            f"chapter {self.slug} has no exercise {name!r}",
            "chapter.toml does not list it under exercises",
            f"those it has: {', '.join(one.name for one in self.exercises) or 'none'}",
        )


def directories(place: Path | None = None) -> list[Path]:
    """The chapters' directories in story order: those that have a chapter.toml."""
    found = sorted((place or tutorials()).iterdir())
    return [one for one in found if _DIRECTORY.fullmatch(one.name) and (one / "chapter.toml").exists()]


def chapters(place: Path | None = None) -> list[Chapter]:
    """All chapters. Raises InvalidInput for one that is malformed."""
    return [read(directory) for directory in directories(place)]


def find(number: int, place: Path | None = None) -> Chapter:
    """The chapter with this number. Raises NotFound."""
    found = directories(place)
    for directory in found:
        if int(directory.name[:2]) == number:
            return read(directory)
    raise NotFound(
        f"there is no chapter {number}",
        f"the chapters are {', '.join(str(int(one.name[:2])) for one in found) or 'none yet'}",
        "`minirun learn list` shows them",
    )


def read(directory: Path) -> Chapter:
    """The chapter in ``directory``. Raises InvalidInput, which names the file and the field."""
    file = directory / "chapter.toml"
    table = _Table(file)
    text = directory / f"text.{LANGUAGE}.md"
    first = text.read_text().partition("\n")[0] if text.exists() else ""
    if not first.startswith("# "):
        raise InvalidInput(f"{text}: no title", "the first line is not `# Title`", "write it, or the file")
    names = table.strings("exercises")
    options = table.take("exercise", dict, {})
    if stray := sorted(set(options) - set(names)):
        raise InvalidInput(f"{file}: [exercise.{stray[0]}]", "no such exercise is listed", "")
    chapter = Chapter(
        directory=directory,
        number=table.take("number", int),
        name=table.take("name", str),
        title=first[2:].strip(),
        minutes=table.take("minutes", int),
        script=table.take("script", str, ""),
        sessions=table.strings("sessions"),
        exercises=tuple(_exercise(directory, name, options.get(name, {})) for name in names),
        needs=table.strings("needs"),
        prediction=_prediction(directory),
    )
    table.end()
    _check(chapter)
    return chapter


def _exercise(chapter: Path, name: str, given: Mapping[str, Any]) -> Exercise:
    directory = chapter / "exercises" / name
    options = _Table(chapter / "chapter.toml", dict(given), f"exercise.{name}.")
    words = _Table(directory / f"words.{LANGUAGE}.toml")
    messages = words.take("messages", dict, {})
    exercise = Exercise(
        name=name,
        directory=directory,
        words=Words(
            title=words.take("title", str),
            task=words.take("task", str).strip(),
            hints=words.strings("hints"),
            solved=words.take("solved", str).strip(),
            messages={key: _message(words.file, key, messages[key]) for key in messages},
        ),
        runtime=options.take("runtime", bool, False),
        level=options.take("level", int, 1),
        needs=options.strings("needs"),
        suffix=options.take("suffix", str, "py"),
    )
    words.end()
    options.end()
    return exercise


def _message(file: Path, key: str, given: Mapping[str, Any]) -> Message:
    table = _Table(file, dict(given), f"messages.{key}.")
    message = Message(says=table.take("says", str).strip(), hint=table.take("hint", str, "").strip())
    table.end()
    return message


def _prediction(directory: Path) -> Prediction | None:
    file = directory / f"predict.{LANGUAGE}.toml"
    if not file.exists():
        return None
    table = _Table(file)
    prediction = Prediction(
        question=table.take("question", str).strip(),
        choices=table.strings("choices"),
        answer=table.take("answer", int),
        because=table.take("because", str).strip(),
        session=table.take("session", str, ""),
    )
    table.end()
    if not 0 <= prediction.answer < len(prediction.choices):
        raise InvalidInput(f"{file}: answer", f"there is no choice {prediction.answer}", "count from 0")
    return prediction


def _check(chapter: Chapter) -> None:
    """What one file of a chapter says of another is true."""
    file = chapter.directory / "chapter.toml"
    if int(chapter.slug[:2]) != chapter.number or chapter.slug[3:] != chapter.name:
        raise InvalidInput(f"{file}: number and name", f"they do not make {chapter.slug!r}", "")
    wanted = [chapter.directory / chapter.script] if chapter.script else []
    wanted += [chapter.session(name) for name in chapter.sessions]
    for one in chapter.exercises:
        wanted += [one.task, one.solution, one.directory / "check.py"]
    if chapter.prediction and chapter.prediction.session:
        wanted.append(chapter.session(chapter.prediction.session))
    for stem in (chapter.script.removesuffix(".py"), *(one.name for one in chapter.exercises)):
        if stem in sys.stdlib_module_names:
            raise InvalidInput(
                f"{file}: {stem}.py",
                "beside the others it would be imported instead of Python's own",
                "choose another name",
            )
    for path in wanted:
        if not path.is_file():
            raise InvalidInput(f"{file}: {path.name} is listed", f"there is no {path}", "write it")


class _Table:
    """A table of a TOML file, from which each field is taken once; what is left over is refused."""

    def __init__(self, file: Path, table: dict[str, Any] | None = None, prefix: str = "") -> None:
        self.file = file
        self.prefix = prefix
        if table is None:
            try:
                table = tomllib.loads(file.read_text())
            except (OSError, ValueError) as error:
                raise InvalidInput(f"cannot read {file}", str(error), "") from error
        self.table = table

    def take(self, name: str, kind: type, *default: Any) -> Any:
        """The field, of this type; ``default`` if it may be left out."""
        if name not in self.table and default:
            return default[0]
        if name not in self.table:
            raise InvalidInput(f"{self.file}: {self.prefix}{name} is missing", "", "")
        value = self.table.pop(name)
        if type(value) is not kind:
            raise InvalidInput(f"{self.file}: {self.prefix}{name}", f"it is no {kind.__name__}", "")
        return value

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of strings; left out, it is empty."""
        value = self.take(name, list, [])
        if not all(isinstance(each, str) for each in value):
            raise InvalidInput(f"{self.file}: {self.prefix}{name}", "it is no list of strings", "")
        return tuple(each.strip() for each in value)

    def end(self) -> None:
        """Raises InvalidInput for what nobody took."""
        if self.table:
            name = self.prefix + next(iter(self.table))
            raise InvalidInput(
                f"{self.file}: there is no field {name}", "it is misspelt, or not for here", ""
            )
