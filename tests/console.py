"""A text's console blocks: what its reader is told to type, and what will be seen, run and compared.

    ```console
    $ minirun pod ps
    NAME   READY   STATUS    RESTARTS   AGE   IP
    ...
    ```

A line `$ ...` is given to bash, those that follow are what it prints, on either stream; `...` stands
for any lines. What is another each time (SHAPES), and how wide a column is, does not count.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path

from tests.conftest import Minirun

PROMPT = "$ "
#: What differs from time to time, and what it is compared as.
SHAPES = {
    r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d\b": "TIME",
    r"\b\d{1,3}(\.\d{1,3}){3}\b(?<!127\.0\.0\.1)": "ADDRESS",
    r"\bfd[0-9a-f:]+:[0-9a-f]+\b": "ADDRESS",
    r"\bpid \d+": "PID",
    r"\b402653\d{4}\b": "INODE",
    r"\b\d+(ms|[smh])\b": "AGE",
    r" +": " ",
}
#: Commands that change nothing: one gives them again when what they show is not there yet.
LOOK = re.compile(r"minirun pod (ps|logs|events|inspect|ns|exec [^>]+$)")
END = "-- the end of what it prints --"


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Each command of a text, and the lines that it prints."""
    commands: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith(PROMPT):
                commands.append((line.removeprefix(PROMPT), []))
            else:
                commands[-1][1].append(line)
    return commands


def section(text: str, heading: str) -> str:
    """What stands below ``## heading``."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def is_like(printed: str, expected: list[str]) -> bool:
    """Whether that is what was ``expected``, in its shape."""
    lines = ("(.*\n)*" if line == "..." else re.escape(f"{shape(line)}\n") for line in expected)
    found = "".join(f"{shape(line)}\n" for line in printed.splitlines())
    return re.fullmatch("".join(lines), found) is not None


def shape(line: str) -> str:
    """The line without what differs from time to time."""
    for pattern, name in SHAPES.items():
        line = re.sub(pattern, name, line)
    return line.rstrip()


class Shell:
    """A reader's bash in ``directory``, in which `minirun` is the tests' own."""

    def __init__(self, minirun: Minirun, directory: Path) -> None:
        self.bash = subprocess.Popen(
            ["bash"],
            cwd=directory,
            env=minirun.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self(f'minirun() {{ timeout 60 {shlex.join(minirun.command())} "$@"; }}')

    def __call__(self, command: str) -> str:
        """What ``command`` prints."""
        assert self.bash.stdin and self.bash.stdout
        self.bash.stdin.write(f"{{ {command}\n}} </dev/null; echo; echo '{END}'\n")
        self.bash.stdin.flush()
        lines: list[str] = []
        while (line := self.bash.stdout.readline()) != f"{END}\n":
            assert line, f"bash has ended in: {command}"
            lines.append(line)
        return "".join(lines).removesuffix("\n")

    def follow(self, text: str, patience: float) -> None:
        """Gives the commands of ``text``, and fails at the first that prints something else.

        One that only looks may take ``patience`` seconds until it shows what it should.
        """
        for command, expected in blocks(text):
            printed = self(command)
            deadline = time.monotonic() + patience
            while not is_like(printed, expected) and LOOK.match(command) and time.monotonic() < deadline:
                time.sleep(0.05)
                printed = self(command)
            assert is_like(printed, expected), f"$ {command}\n{printed}\nand not:\n" + "\n".join(expected)

    def close(self) -> None:
        """Ends it."""
        self.bash.communicate()
