"""A chapter's directory: read, assembled, and refused with the name of what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from minirun.errors import InvalidInput, MinirunError
from minirun.learn import chapter as chapters
from minirun.learn import excerpts, reading
from minirun.learn.assemble import assemble, main
from minirun.learn.materials import copied

SAMPLE = Path(__file__).parents[1] / "learn" / "data" / "90-sample"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A chapter to spoil."""
    return Path(shutil.copytree(SAMPLE, tmp_path / SAMPLE.name))


def test_a_chapter_is_read() -> None:
    """Structure from chapter.toml, words from the files of the language."""
    chapter = chapters.read(SAMPLE)
    assert (chapter.number, chapter.name, chapter.title) == (90, "sample", "A sample chapter")
    assert chapter.sessions == ("first", "second")
    assert chapter.prediction
    assert chapter.prediction.answer == 1
    exercise = chapter.exercise("hostname")
    assert (exercise.runtime, exercise.level) == (True, 1)
    assert exercise.words.messages["hosts-uts"].says.format(pid=7).startswith("Your process 7 is")


def replaced(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Spoils a file of the chapter."""

    def spoil(place: Path) -> None:
        text = (place / name).read_text()
        assert old in text
        (place / name).write_text(text.replace(old, new))

    return spoil


def test_an_exercise_may_be_a_manifest(copy: Path) -> None:
    """Its files have that suffix, and the learner's is called so too."""
    replaced("chapter.toml", "level = 1", 'level = 1\nsuffix = "yaml"')(copy)
    place = copy / "exercises" / "hostname"
    for stem in ("task", "solution"):
        (place / f"{stem}.yaml").write_text("kind: Pod\n")
    chapter = chapters.read(copy)
    exercise = chapter.exercise("hostname")
    assert exercise.file == "hostname.yaml"
    assert (exercise.task.name, exercise.solution.name) == ("task.yaml", "solution.yaml")
    assert copied(chapter)["hostname.yaml"] == exercise.task
    text = assemble(chapter)
    assert "`hostname.yaml`" in text
    assert "exercises/hostname/solution.yaml" in text


def test_a_learner_gets_no_prose(copy: Path) -> None:
    """In whatever language it is: the text has commands of its own."""
    (copy / "text.ru.md").write_text("# Глава\n")
    (copy / "predict.ru.toml").write_text("")
    assert set(copied(chapters.read(copy))) == {"runtime.py", "hostname.py"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (replaced("chapter.toml", "minutes", "minuets"), "minutes is missing"),
        (replaced("chapter.toml", "number = 90", 'number = "90"'), "number"),
        (replaced("chapter.toml", "number = 90", "number = 91"), "number and name"),
        (replaced("chapter.toml", "level = 1", "level = 1\nhard = 2"), "exercise.hostname.hard"),
        (replaced("chapter.toml", "[exercise.hostname]", "[exercise.hostnam]"), "exercise.hostnam"),
        (replaced("chapter.toml", '"second"]', '"secnd"]'), "secnd"),
        (replaced("text.en.md", "# A sample", "A sample"), "no title"),
        (replaced("predict.en.toml", "answer = 1", "answer = 2"), "answer"),
        (replaced("predict.en.toml", '"first"', '"frst"'), "frst"),
        (replaced("exercises/hostname/words.en.toml", "solved", "solvd"), "solved is missing"),
        (replaced("exercises/hostname/words.en.toml", "says =", "sais ="), "says is missing"),
        (replaced("chapter.toml", '"runtime.py"', '"signal.py"'), "signal.py"),
        (lambda place: (place / "exercises/hostname/check.py").unlink(), "check.py"),
        (lambda place: (place / "exercises/hostname/words.en.toml").unlink(), "words.en.toml"),
    ],
)
def test_what_is_wrong_is_named(copy: Path, spoil: Callable[[Path], object], said: str) -> None:
    """A misspelt field, a file that is missing: the error says which."""
    spoil(copy)
    with pytest.raises(MinirunError, match=said):
        chapters.read(copy)


def test_the_text_is_assembled() -> None:
    """Each placeholder is filled; markers of regions are left out."""
    text = assemble(chapters.read(SAMPLE))
    assert text.startswith("# A sample chapter\n")
    assert "```console\n$ python3 runtime.py run rootfs hostname\nsample\n" in text
    assert "uts:[4026531838]" in text
    assert "[own-name]" not in text
    assert "libc.sethostname(b" in text
    assert "def sethostname(name: str) -> None:" in text
    assert "{{" not in text


@pytest.mark.parametrize(
    "placeholder",
    [
        "{{ sesion first }}",
        "{{ session third }}",
        "{{ code runtime.py#no-such }}",
        "{{ code no_such.py }}",
        "{{ quote minirun/linux/namespace.py:no_such }}",
        "{{ quote minirun/no_such.py:main }}",
        "{{ quote ../tests/needs.py:needs }}",
        "and {{ session first }} within a line",
    ],
)
def test_a_placeholder_without_its_thing_is_refused(copy: Path, placeholder: str) -> None:
    """The build fails, and names it: this is how quoted code is checked."""
    with (copy / "text.en.md").open("a") as file:
        file.write(f"\n{placeholder}\n")
    with pytest.raises(InvalidInput):
        assemble(chapters.read(copy))


def test_assembling_says_what_is_stale(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check writes nothing."""
    assert main([str(copy), "--check"]) == 0
    (copy / "README.md").write_text("old")
    assert main([str(copy), "--check"]) == 1
    assert (copy / "README.md").read_text() == "old"
    assert main([str(copy)]) == 0
    assert "README.md: written" in capsys.readouterr().out
    assert main([str(copy), "--check"]) == 0


@pytest.mark.parametrize(
    ("path", "symbol", "first", "last"),
    [
        ("minirun/linux/namespace.py", "CloneFlag.NEWPID", "NEWPID = 0x20000000", "NEWPID = 0x20000000"),
        ("minirun/steps.py", "Walk.undo", "def undo(self) -> None:", "again"),
        ("minirun/linux/namespace.py", "unshare", '@syscall("unshare")', "checked(libc.unshare(int(flags)))"),
        ("minirun/linux/mount.py", "ATIME", "#: The bits that", "ATIME = 0x70"),
        ("minirun/native/pause.c", "begin", "__attribute__((used", "}"),
        ("minirun/native/init.c", "main", "int main(int argc", "}"),
    ],
)
def test_quotes_are_found_by_name(path: str, symbol: str, first: str, last: str) -> None:
    """Functions with their decorators, members of classes, constants with their comments; C too."""
    lines = excerpts.quote(path, symbol).splitlines()
    assert lines[0].startswith(first)
    assert lines[-1].endswith(last)


def test_a_region_without_its_end_is_refused(tmp_path: Path) -> None:
    """A marker that lost its partner would show too much or too little."""
    file = tmp_path / "program.py"
    file.write_text("# [a]\none\n# [b]\ntwo\n# [/a]\n")
    assert excerpts.code(file, "a") == "one\ntwo"
    with pytest.raises(InvalidInput):
        excerpts.code(file, "b")


def test_a_terminal_shows_no_answers() -> None:
    """Hints and the answer have commands of their own; solutions are not linked to."""
    text = reading.for_terminal(chapters.read(SAMPLE))
    assert "What does `hostname` print" in text
    for hidden in ("<details>", "The name belongs to the UTS namespace", "unshare(2) with", "solution.py"):
        assert hidden not in text
