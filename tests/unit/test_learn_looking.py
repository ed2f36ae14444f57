"""What is read of a process holds for every process, also for one that names itself oddly."""

from __future__ import annotations

import subprocess

from minirun.learn.looking import Process


def test_words_may_be_any_bytes() -> None:
    """`minirun learn reset` looks at all there are."""
    words = [b"\xff", "-c", "echo up; read line"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, executable="/bin/sh", stdin=pipe, stdout=pipe) as odd:
        assert odd.stdout
        assert odd.stdout.readline() == b"up\n"
        found = Process(odd.pid).words()
    assert found == ["\ufffd", "-c", "echo up; read line"]
