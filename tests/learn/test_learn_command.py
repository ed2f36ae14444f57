"""``minirun learn``, as a learner types it, on copies of the sample chapter."""

from __future__ import annotations

import json
import os
import pty
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.learn import chapter as chapters
from minirun.learn import sessions
from minirun.learn.checking import check
from minirun.learn.classroom import Classroom, differences
from minirun.learn.stores import StoreAt
from minirun.linux import mount
from minirun.linux.mount import MountFlag
from tests.conftest import Minirun
from tests.learn import mistakes
from tests.learn.conftest import DATA
from tests.needs import needs

pytestmark = needs("root", "memory", "pids")
SAMPLE = DATA / "90-sample"
SOLUTION = SAMPLE / "exercises" / "hostname" / "solution.py"


class Learner:
    """A home, two chapters, and the command."""

    def __init__(self, home: Path, tutorials: Path, minirun: Minirun) -> None:
        self.home = home
        self.minirun = minirun
        self.folder = home / "minirun-learn" / "90-sample"
        self.env = {
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "MINIRUN_TUTORIALS": str(tutorials),
            "SUDO_USER": "",
        }

    def __call__(self, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
        return self.minirun("learn", *words, env=self.env, **options)

    @property
    def progress(self) -> dict[str, object]:
        """What is kept of them."""
        found: dict[str, object] = json.loads((self.home / "state" / "minirun" / "learn.json").read_text())
        return found


@pytest.fixture
def tutorials(test_dir: Path, tmp_path: Path) -> Path:
    """Two chapters: the sample, and one like it with a program that grew."""
    place = tmp_path / "tutorials"
    shutil.copytree(SAMPLE, place / "90-sample")
    second = Path(shutil.copytree(SAMPLE, place / "91-grown"))
    structure = (second / "chapter.toml").read_text()
    structure = structure.replace("90", "91").replace('"sample"', '"grown"')
    (second / "chapter.toml").write_text(structure)
    program = (second / "runtime.py").read_text()
    (second / "runtime.py").write_text(program.replace('b"sample", 6', 'b"grown", 5'))
    return place


@pytest.fixture
def learner(test_dir: Path, tmp_path: Path, tutorials: Path, minirun: Minirun) -> Iterator[Learner]:
    """Somebody at the beginning. Their home is where an overlay may write."""
    home = test_dir / f"home-{tmp_path.name}"
    home.mkdir()
    yield Learner(home, tutorials, minirun)
    shutil.rmtree(home)


def test_a_chapter_from_start_to_next(learner: Learner) -> None:
    """Begin, fail, be helped, pass, see the solution, go on; progress tells of it."""
    assert learner("check").returncode == 125
    begun = learner("start", "90")
    assert begun.returncode == 0
    assert "# A sample chapter" in begun.stdout
    assert f"cd {learner.folder}" in begun.stdout
    assert sorted(path.name for path in learner.folder.iterdir()) == [
        ".minirun-learn",
        "hostname.py",
        "rootfs",
        "runtime.py",
    ]
    assert (learner.folder / "rootfs" / "bin" / "sh").exists()

    failed = learner("check")
    assert failed.returncode == 1
    assert failed.stdout.startswith("hostname: not yet\n")
    first, second, third = (learner("hint").stdout for _ in range(3))
    assert "hint 1 of 2: Which namespace" in first
    assert "hint 2 of 2: unshare(2)" in second
    assert "hint 2 of 2" in third
    refused = learner("solution")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (125, 3)
    assert learner("solution", "--anyway").stdout == SOLUTION.read_text()

    exercise = chapters.read(SAMPLE).exercise("hostname")
    nothing = next(one for one in mistakes.read(exercise) if one.name == "nothing")
    (learner.folder / "hostname.py").write_text(nothing.text)
    assert "is still in the host's UTS namespace" in learner("hint").stdout
    shutil.copy(SOLUTION, learner.folder / "hostname.py")
    passed = learner("check", "hostname")
    assert (passed.returncode, "hostname: passed" in passed.stdout) == (0, True)
    assert "next: minirun learn next" in passed.stdout
    assert learner("solution").returncode == 0
    rows = json.loads(learner("list", "--format", "json").stdout)
    assert [(row["here"], row["exercises"]) for row in rows] == [(">", "1/1"), ("", "0/1")]

    assert learner("next", "--no-text").stdout.splitlines()[0].endswith("91-grown")
    assert learner("next").stdout == "That was the last chapter.\n"
    assert learner.progress["started"] == [90, 91]
    assert list(learner.folder.glob(".attempt*")) == []


def test_what_the_learner_wrote_is_kept(learner: Learner) -> None:
    """A second start overwrites only with --force; another directory is remembered."""
    learner("start", "90", "--no-text", check=True)
    (learner.folder / "hostname.py").write_text("mine\n")
    again = learner("start", "90", "--no-text", check=True)
    assert "kept as you have changed it: hostname.py" in again.stderr
    assert (learner.folder / "hostname.py").read_text() == "mine\n"
    learner("start", "90", "--no-text", "--force", check=True)
    assert (learner.folder / "hostname.py").read_text() != "mine\n"

    learner("start", "91", "--no-text", "--directory", str(learner.home / "elsewhere"), check=True)
    assert (learner.home / "elsewhere" / "91-grown" / "runtime.py").exists()
    (learner.home / "elsewhere" / "90-sample").mkdir()
    (learner.home / "elsewhere" / "90-sample" / "precious").touch()
    assert "was not made by minirun learn" in learner("start", "90").stderr


def test_without_the_image_it_says_what_to_do(learner: Learner, tmp_path: Path) -> None:
    """Three lines, and no half-made rootfs."""
    empty = Minirun(tmp_path / "root", tmp_path / "state")
    done = empty("learn", "start", "90", env=learner.env)
    assert done.returncode == 125
    assert done.stderr.startswith("minirun: the image busybox is not loaded\n  why: ")
    assert "try: " in done.stderr
    assert not (learner.folder / "rootfs").exists()


def test_under_sudo_the_files_are_the_users(learner: Learner) -> None:
    """Who called sudo can write what was made for them; the root file system is root's."""
    learner.env["SUDO_USER"] = "daemon"
    learner("start", "90", "--no-text", "-d", str(learner.home / "minirun-learn"), check=True)
    user = pwd.getpwnam("daemon").pw_uid
    for path in (learner.folder, learner.folder / "hostname.py", learner.home / "state/minirun/learn.json"):
        assert path.stat().st_uid == user, path
    assert (learner.folder / "rootfs").stat().st_uid == 0


def test_without_root_it_says_so(learner: Learner) -> None:
    """What can be done without is done; the rest is refused in three lines."""
    learner.home.chmod(0o777)
    learner("start", "90", "--no-text", check=True)
    for path in (learner.home / "state/minirun", learner.home / "state/minirun/learn.json"):
        path.chmod(0o777)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    environment = {**learner.minirun.environment, **learner.env, "MINIRUN_TUTORIALS": str(DATA)}
    can = [*nobody, sys.executable, "-c", f"import minirun, os; os.listdir({str(DATA)!r})"]
    if subprocess.run(can, env=environment, capture_output=True, check=False).returncode:
        pytest.skip("this machine lacks: a way for nobody to the interpreter and to the tests")
    for words, code in ((["list"], 0), (["diff", "90", "90"], 0), (["check"], 125), (["start", "90"], 125)):
        line = [*nobody, *learner.minirun.command("learn", *words)]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        if code:
            assert done.stderr.startswith("minirun: this needs root\n")
            assert len(done.stderr.splitlines()) == 3


def test_predict_runs_what_was_asked_about(learner: Learner) -> None:
    """The session is a real one, and the reason follows."""
    learner("start", "90", "--no-text", check=True)
    wrong = learner("predict", "--answer", "1")
    assert wrong.returncode == 0
    assert "$ python3 runtime.py run rootfs hostname\nsample\n" in wrong.stdout
    assert "It is 2, not 1." in wrong.stdout
    assert "You were right." in learner("predict", "90", "-a", "2").stdout
    asked = learner("predict")
    assert (asked.returncode, "1. The container's name." in asked.stdout) == (125, True)


def test_diff_shows_how_the_program_grew(learner: Learner) -> None:
    """A unified diff of the scripts; nothing where nothing changed."""
    lines = learner("diff", "90", "91").stdout.splitlines()
    assert lines[:2] == ["--- 90-sample/runtime.py", "+++ 91-grown/runtime.py"]
    assert '-    libc.sethostname(b"sample", 6)' in lines
    assert '+    libc.sethostname(b"grown", 5)' in lines
    assert learner("diff", "90", "90").stdout == ""
    assert learner("diff", "90", "17").returncode == 125


def test_a_runtime_of_ones_own_in_another_language(learner: Learner, tmp_path: Path) -> None:
    """--impl takes any program; the kernel is asked, not the source."""
    runtime = tmp_path / "my_runtime"
    runtime.write_text(
        "#!/bin/sh\n"
        "shift\n"
        'exec unshare --uts sh -c \'echo inside >/proc/sys/kernel/hostname; exec chroot "$0" "$@"\' "$@"\n'
    )
    not_executable = learner("check", "--chapter", "90", "--impl", str(runtime))
    assert not_executable.returncode == 1
    assert "cannot be started: Permission denied" in not_executable.stdout
    runtime.chmod(runtime.stat().st_mode | stat.S_IXUSR)
    passed = learner("check", "--chapter", "90", "--impl", str(runtime))
    assert passed.stdout.startswith("hostname: passed")
    assert passed.returncode == 0
    runtime.write_text('#!/bin/sh\nshift\nexec chroot "$@"\n')
    failed = learner("check", "--chapter", "90", "--impl", str(runtime))
    assert failed.returncode == 1
    assert "is still in the host's UTS namespace" in failed.stdout
    assert not (learner.home / "state").exists()  # it is no step in the chapter


def test_watch_checks_again_after_a_change(learner: Learner) -> None:
    """It ends when the exercise passes."""
    learner("start", "90", "--no-text", check=True)
    watch = learner.minirun.popen(
        "learn",
        "check",
        "--watch",
        env={**learner.minirun.environment, **learner.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout and watch.stderr
    with watch.stdout, watch.stderr:
        assert "waiting for a change" in watch.stderr.readline()
        shutil.copy(SOLUTION, learner.folder / "hostname.py")
        assert watch.wait(60) == 0
        assert "hostname: passed" in watch.stdout.read()


def test_reset_leaves_nothing(learner: Learner) -> None:
    """Folders, progress, and what a learner's own experiments left in the folder."""
    learner("start", "90", "--no-text", check=True)
    learner("start", "91", "--no-text", check=True)
    (learner.folder / "rootfs" / "mnt").mkdir()
    experiment = subprocess.Popen(["sleep", "1000"], cwd=learner.folder)
    mount.mount("none", str(learner.folder / "rootfs" / "mnt"), "tmpfs", MountFlag(0), None)
    unasked = learner("reset", input="")
    assert unasked.returncode != 0
    assert learner.folder.exists()

    one = learner("reset", "90", "--force", check=True).stdout
    assert f"ended process {experiment.pid}: sleep 1000" in one
    assert f"unmounted {learner.folder}/rootfs/mnt" in one
    assert experiment.wait() == -9
    assert not learner.folder.exists()
    assert learner.progress["started"] == [91]

    learner("reset", "-f", check=True)
    assert list(learner.home.iterdir()) in ([], [learner.home / "state"])
    assert not (learner.home / "state" / "minirun").exists()
    assert learner("reset", "-f").returncode == 0


@needs("ip", "nft")
def test_reset_removes_what_is_called_after_a_dead_program(learner: Learner) -> None:
    """Interfaces and tables of chapters' programs; done in a network namespace of the test's own."""
    gone, alive = "learn4194305", f"learn{os.getpid()}"  # the first is more than a pid can be
    script = "".join(
        f"ip link add {name} type bridge\nnft add table ip {name}\n" for name in (gone, alive, "learned")
    )
    reset = shlex.join(learner.minirun.command("learn", "reset", "-f"))
    done = subprocess.run(
        ["unshare", "--net", "sh", "-ec", f"{script}{reset}\nip -o link\nnft list tables"],
        env={**learner.minirun.environment, **learner.env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    said, _, rest = done.partition("1: lo")
    assert f"removed interface {gone}\nremoved nftables table ip {gone}\n" in said
    assert gone not in rest
    assert (rest.count(alive), rest.count("learned")) == (2, 2)


def test_reset_touches_nobody_elses(learner: Learner) -> None:
    """A directory without our mark stays, also among the chapters' folders."""
    learner("start", "90", "--no-text", check=True)
    own = learner.home / "minirun-learn" / "own"
    own.mkdir()
    learner("reset", "-f", check=True)
    assert own.exists()


def test_broken_progress_is_named_and_reset_helps(learner: Learner) -> None:
    """No traceback, and no silent loss."""
    place = learner.home / "state" / "minirun"
    place.mkdir(parents=True)
    (place / "learn.json").write_text('{"chapter": "four"}')
    broken = learner("list")
    assert broken.returncode == 125
    assert "minirun learn reset" in broken.stderr
    learner("reset", "-f", check=True)
    assert learner("list").returncode == 0


def test_on_a_terminal_it_is_set_in_type(learner: Learner) -> None:
    """Markdown is rendered and paged when stdout is a terminal."""
    main, side = pty.openpty()
    environment = {**learner.minirun.environment, **learner.env, "PAGER": "cat", "TERM": "xterm"}
    child = learner.minirun.popen("learn", "start", "90", env=environment, stdout=side, stdin=side)
    os.close(side)
    said = b""
    try:
        while block := os.read(main, 65536):
            said += block
    except OSError:
        pass  # EIO: the other side was closed
    os.close(main)
    assert child.wait() == 0
    assert "A sample chapter" in said.decode()
    assert b"\x1b[" in said
    assert b"# A sample" not in said


def test_a_start_of_minirun_knows_nothing_of_it(minirun: Minirun) -> None:
    """`minirun --help` and `minirun run` import none of the tutorial."""
    for words in (["--help"], ["run", "--help"]):
        program = (
            "import sys\n"
            f"from minirun.cli import run_line; run_line({words!r})\n"
            "print([name for name in sys.modules if 'learn' in name], file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=minirun.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr.strip() == "[]"
        if words == ["--help"]:
            assert "learn" in done.stdout


def test_a_session_that_differs_is_found(tutorials: Path, loaded_minirun: Minirun, test_dir: Path) -> None:
    """The diff names the command, what was expected and what came; a wrong exit code too."""
    file = tutorials / "90-sample" / "sessions" / "first.session"
    text = file.read_text().replace("to stderr\n[exit 3]", "to nowhere\n[exit 4]")
    file.write_text(text)
    chapter = chapters.read(tutorials / "90-sample")
    session = sessions.read(chapter.session("first"))
    with Classroom(chapter, StoreAt(root=str(loaded_minirun.root)), str(test_dir)) as room:
        found = differences(session, room.play(session), {})
    assert found == [
        "$ python3 runtime.py run rootfs sh -c 'hostname; echo to stderr >&2; exit 3'",
        "  sample",
        "- to nowhere",
        "+ to stderr",
        "  expected exit code 4, came: exit code 3",
    ]


def test_a_session_leaves_no_process_and_has_an_end(
    tutorials: Path, loaded_minirun: Minirun, test_dir: Path
) -> None:
    """Background programs are killed with their session; one that hangs is named."""
    from minirun.errors import MinirunError

    chapter = chapters.read(tutorials / "90-sample")
    with Classroom(chapter, StoreAt(root=str(loaded_minirun.root)), str(test_dir)) as room:
        room.play(sessions.parse("$ sleep 1000 & echo here\nhere\n", "background"))
        assert room.fence.processes() == {}
        start = time.monotonic()
        with pytest.raises(MinirunError, match="did not end within"):
            room.play(sessions.parse("$ sleep 1000\n", "hanging"), seconds=0.5)
        assert time.monotonic() - start < 20
        assert room.fence.processes() == {}


def test_a_mistake_with_another_message_is_found(tutorials: Path, lesson_rootfs: Path) -> None:
    """The key is what the check says, not what the file claims."""
    chapter = chapters.read(tutorials / "90-sample")
    exercise = chapter.exercise("hostname")
    file = exercise.directory / mistakes.FILE
    file.write_text(file.read_text().replace('gets = "hosts-uts"', 'gets = "not-named"'))
    (wrong,) = (one for one in mistakes.read(exercise) if one.name == "nothing")
    program = exercise.directory / "nothing.py"
    program.write_text(wrong.text)
    assert (wrong.gets, check(chapter, exercise, program, lesson_rootfs).key) == ("not-named", "hosts-uts")
