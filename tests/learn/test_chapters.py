"""Every chapter keeps what it promises: its text is assembled, its sessions run, its exercises teach.

``pytest tests/learn -k 03`` picks one chapter.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from minirun.learn import chapter as chapters
from minirun.learn import sessions
from minirun.learn.assemble import assemble, assemble_landing
from minirun.learn.chapter import Chapter
from minirun.learn.checking import check
from minirun.learn.classroom import Classroom, differences
from minirun.learn.needs import WORDS, missing
from minirun.learn.stores import StoreAt
from tests.conftest import REPOSITORY
from tests.learn import mistakes
from tests.learn.conftest import DATA

LONGEST_SCRIPT = 120
CHAPTERS = chapters.directories(REPOSITORY / "tutorials")
#: With one that is made up, of which each kind of thing is in.
DIRECTORIES = [*CHAPTERS, *chapters.directories(DATA)]
EXERCISES = [
    (directory, path.parent.name)
    for directory in DIRECTORIES
    for path in sorted(directory.glob("exercises/*/check.py"))
]
MISTAKES = [
    (directory, path.parent.name, name)
    for directory in DIRECTORIES
    for path in sorted(directory.glob(f"exercises/*/{mistakes.FILE}"))
    for name in mistakes.names(path.parent)
]
SESSIONS = [(directory, name) for directory in DIRECTORIES for name in chapters.read(directory).sessions]
#: The programs that sessions ask for; what else they need has a word in minirun/learn/needs.py.
PROGRAMS = frozenset(
    "apparmor_parser bridge cc ip ipcmk nft nsenter pgrep ps runc runsc setpriv strace tini unshare".split()
)
each_chapter = pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
each_exercise = pytest.mark.parametrize(
    ("directory", "name"), EXERCISES, ids=[f"{directory.name}-{name}" for directory, name in EXERCISES]
)
each_mistake = pytest.mark.parametrize(
    ("directory", "name", "mistake"),
    MISTAKES,
    ids=[f"{directory.name}-{name}-{mistake}" for directory, name, mistake in MISTAKES],
)


@each_chapter
def test_readme_is_up_to_date(directory: Path) -> None:
    """README.md is what `make tutorials` makes of the text; quotes and regions are there."""
    file = directory / "README.md"
    assert file.exists(), "run `make tutorials`"
    assert file.read_text() == assemble(chapters.read(directory)), "run `make tutorials`"


@each_chapter
def test_all_that_is_there_is_used(directory: Path) -> None:
    """Each session and exercise that has files is listed, and each listed session is in the text."""
    chapter = chapters.read(directory)
    assert {path.stem for path in directory.glob("sessions/*.session")} == set(chapter.sessions)
    assert {path.parent.name for path in directory.glob("exercises/*/check.py")} == {
        one.name for one in chapter.exercises
    }
    shown = re.findall(r"^\{\{ *session +(\S+) *\}\}$", chapter.text, re.MULTILINE)
    assert sorted(shown) == sorted(chapter.sessions)


@each_chapter
def test_script_is_small_and_stands_alone(directory: Path) -> None:
    """At most 120 lines, a docstring, and nothing imported but the standard library."""
    chapter = chapters.read(directory)
    scripts = [directory / chapter.script] if chapter.script else []
    scripts += [path for path in directory.glob("*.py") if path not in scripts]
    programs = [path for one in chapter.exercises for path in (one.task, one.solution)]
    for path in [*scripts, *programs]:
        if path.suffix != ".py":
            continue
        text = path.read_text()
        tree = ast.parse(text, str(path))
        foreign = imported(tree) - sys.stdlib_module_names - {other.stem for other in scripts}
        assert not foreign, f"{path.name} imports {', '.join(foreign)}"
    for path in scripts:
        text = path.read_text()
        lines = [line for line in text.splitlines() if not re.fullmatch(r"\s*# \[/?[a-z0-9_-]+\]\s*", line)]
        assert len(lines) <= LONGEST_SCRIPT, f"{path.name} has {len(lines)} lines"
        assert ast.get_docstring(ast.parse(text)), f"{path.name} does not say what it can do"


@pytest.mark.parametrize("directory", CHAPTERS, ids=lambda path: path.name)
def test_links_lead_somewhere(directory: Path) -> None:
    """What a README links to within the repository is there; anchors too."""
    text = (directory / "README.md").read_text()
    dead = [link for link in links(text) if not leads_somewhere(directory, link)]
    assert dead == []


def test_the_landing_page_is_up_to_date() -> None:
    """tutorials/README.md is what `make tutorials` makes, and its links lead somewhere."""
    place = REPOSITORY / "tutorials"
    text = (place / "README.md").read_text()
    assert text == assemble_landing(place), "run `make tutorials`"
    assert [link for link in links(text) if not leads_somewhere(place, link)] == []


@each_chapter
def test_nothing_is_shown_that_has_not_run(directory: Path) -> None:
    """A command or a program in the text comes from a session or a file, by its placeholder."""
    text = chapters.read(directory).text
    languages = set(re.findall(r"^```+ *(\S+)", text, re.MULTILINE))
    assert not languages - {"mermaid", "text"}, "use {{ session NAME }} or {{ code FILE#REGION }}"
    assert not re.search(r"^(    )?[$#] minirun ", text, re.MULTILINE)


@each_chapter
@pytest.mark.timeout(600)
def test_sessions_happen_as_written(directory: Path, chapters_store: StoreAt, test_dir: Path) -> None:
    """Every command of every session prints what the text says, in one folder, in order."""
    chapter = chapters.read(directory)
    if not chapter.sessions:
        return
    lacking = missing(["root", *chapter.needs])
    if lacking:
        pytest.skip(f"this machine lacks: {', '.join(lacking)}")
    names: dict[str, str] = {}
    wrong: list[str] = []
    skipped: list[str] = []
    with Classroom(chapter, chapters_store, str(test_dir)) as room:
        for name in chapter.sessions:
            session = sessions.read(chapter.session(name))
            if lacking := missing(session.needs):
                skipped += [f"{name} ({need})" for need in lacking]
                continue
            found = differences(session, room.play(session), names)
            wrong += [f"== {name}", *found] if found else []
    assert not wrong, "\n".join(["a session is not as written (- expected, + came):", *wrong])
    if len(skipped) == len(chapter.sessions):
        pytest.skip(f"this machine lacks: {', '.join(skipped)}")


@pytest.mark.parametrize(
    ("directory", "name"), SESSIONS, ids=[f"{directory.name}-{name}" for directory, name in SESSIONS]
)
def test_a_session_has_what_it_needs(directory: Path, name: str) -> None:
    """What a session lacks here is counted, and has a name; a word that nobody knows would always lack."""
    needs = sessions.read(chapters.read(directory).session(name)).needs
    assert not [word for word in needs if word not in WORDS and word not in PROGRAMS]
    if lacking := missing(needs):
        pytest.skip(f"this machine lacks: {', '.join(lacking)}")


@each_exercise
@pytest.mark.timeout(180)
def test_exercise_tells_right_from_unsolved(directory: Path, name: str, lesson_rootfs: Path) -> None:
    """The unsolved form fails its check, the solution passes it."""
    chapter = chapters.read(directory)
    exercise = chapter.exercise(name)
    need(chapter, *exercise.needs)
    unsolved = check(chapter, exercise, exercise.task, lesson_rootfs)
    assert not unsolved.passed
    assert unsolved.says
    solved = check(chapter, exercise, exercise.solution, lesson_rootfs)
    assert solved.passed, f"the solution fails: {solved.key}: {solved.says}"


@each_mistake
@pytest.mark.timeout(120)
def test_mistake_gets_its_message(
    directory: Path, name: str, mistake: str, lesson_rootfs: Path, tmp_path: Path
) -> None:
    """A typical wrong solution is told what is wrong with it."""
    chapter = chapters.read(directory)
    exercise = chapter.exercise(name)
    need(chapter, *exercise.needs)
    (wrong,) = (one for one in mistakes.read(exercise) if one.name == mistake)
    program = tmp_path / f"{wrong.name}.{exercise.suffix}"
    program.write_text(wrong.text)
    verdict = check(chapter, exercise, program, lesson_rootfs)
    assert verdict.key == wrong.gets, verdict.says


@each_exercise
def test_messages_are_proved(directory: Path, name: str) -> None:
    """Each message of an exercise has a mistake that gets it."""
    exercise = chapters.read(directory).exercise(name)
    proved = {one.gets for one in mistakes.read(exercise)}
    assert not set(exercise.words.messages) - proved, "no mistake shows these messages"


def need(chapter: Chapter, *more: str) -> None:
    """Skips the test where something is missing."""
    if lacking := missing(["root", *chapter.needs, *more]):
        pytest.skip(f"this machine lacks: {', '.join(lacking)}")


def imported(tree: ast.AST) -> set[str]:
    """The packages that a module imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def links(text: str) -> list[str]:
    """The targets of Markdown's links and images, outside of code."""
    prose = re.sub(r"^(`{3,}).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"`[^`\n]*`", "code", prose)
    return re.findall(r"\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)\)", prose)


def leads_somewhere(directory: Path, link: str) -> bool:
    """Whether a link is to the world, or to something that is there."""
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = directory / path if path else directory / "README.md"
    if target.is_dir() and anchor:
        target /= "README.md"
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in anchors(target.read_text())


def anchors(text: str) -> set[str]:
    """The anchors of a Markdown file's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}
