"""What any program can get wrong has a message, whatever the exercise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from minirun.learn.attempt import Attempt, Wrong
from minirun.learn.words import general
from tests.learn.test_fence import program
from tests.needs import needs

pytestmark = needs("root", "memory", "pids")

#: A runtime that does no more than it has to.
CHROOT = "rootfs, *words = sys.argv[2:]; os.chroot(rootfs); os.chdir('/'); "
WRONG = {
    "not-implemented": "raise NotImplementedError('the whole of it')",
    "crashed": "print('a'); sys.exit('no')",
    "silent": "pass",
    "never-ready": "time.sleep(1000)",
    "output-lost": CHROOT + "os.dup2(2, 1); os.execv('/bin/sh', words)",
}


def message(wrong: Wrong) -> str:
    """The sentence of a general message, and its hint: all that they want is given."""
    found = general(wrong.key)
    assert found
    return found.says.format_map(wrong.values) + "\n" + found.hint.format_map(wrong.values)


@pytest.mark.parametrize(("key", "text"), WRONG.items(), ids=WRONG.keys())
def test_a_runtime_that_does_not_become_its_command(
    key: str, text: str, tmp_path: Path, lesson_rootfs: Path
) -> None:
    with (
        Attempt(program(tmp_path, text), lesson_rootfs) as attempt,
        pytest.raises(Wrong) as wrong,
        attempt.running(timeout=2.0),
    ):
        pass
    assert wrong.value.key == key
    assert "program.py" in message(wrong.value)


DONE: dict[str, tuple[str, Callable[[Attempt], object]]] = {
    "not-implemented": ("raise NotImplementedError", lambda attempt: attempt.run()),
    "crashed": ("sys.exit('no')", lambda attempt: attempt.output("7")),
    "too-long": ("time.sleep(1000)", lambda attempt: attempt.output("7", timeout=0.5)),
    "no-numbers": ("print('1', 'MiB')", lambda attempt: attempt.numbers("7")),
    "too few": ("print(1)", lambda attempt: attempt.numbers("7", least=2)),
}


@pytest.mark.parametrize(("key", "text", "asked"), [(key, *rest) for key, rest in DONE.items()], ids=DONE)
def test_a_program_that_does_not_answer(
    key: str, text: str, asked: Callable[[Attempt], object], tmp_path: Path, lesson_rootfs: Path
) -> None:
    with Attempt(program(tmp_path, text), lesson_rootfs) as attempt, pytest.raises(Wrong) as wrong:
        asked(attempt)
    assert wrong.value.key == key.replace("too few", "no-numbers")
    assert "program.py" in message(wrong.value)


def test_what_cannot_be_started(tmp_path: Path, lesson_rootfs: Path) -> None:
    file = tmp_path / "program"
    file.write_text("no script, and not executable\n")
    with Attempt(file, lesson_rootfs) as attempt, pytest.raises(Wrong) as wrong:
        attempt.run()
    assert wrong.value.key == "does-not-start"
    assert "Permission denied" in message(wrong.value)


def test_what_it_says_is_given(tmp_path: Path, lesson_rootfs: Path) -> None:
    text = "print(*sys.argv[1:], -3, sep='\\n'); print('aside', file=sys.stderr)"
    with Attempt(program(tmp_path, text), lesson_rootfs) as attempt:
        assert attempt.output("a b") == "a b\n-3\n"
        assert attempt.numbers("12") == [12, -3]
    with Attempt(program(tmp_path, "pass"), lesson_rootfs) as attempt:
        assert attempt.numbers() == []
