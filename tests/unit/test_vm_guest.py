"""The list of operations for a guest, and that native/guest.c knows every one of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from minirun.spec import Process, Rlimit, User
from minirun.vm import guest
from minirun.vm.share import Volume

HEADER = Path(__file__).resolve().parents[2] / "minirun/native/guest_operations.h"
SEED = bytes(range(64))

VOLUMES = (
    Volume(number=0, kind="bind", source="/host/dir", target="/data"),
    Volume(number=1, kind="bind", source="/host/file", target="/etc/one", directory=False, readonly=True),
    Volume(number=2, kind="tmpfs", target="/scratch", flags=6, data="size=2m"),
)


def process(**fields: Any) -> Process:
    """A program with everything that one can have."""
    full = {
        "args": ("sh", "-c", "echo"),
        "env": ("A=b", "PATH=/bin"),
        "cwd": "/work",
        "user": User(uid=5, gid=6, additionalGids=(7, 8), umask=0o27),
        "rlimits": (Rlimit(type="RLIMIT_NOFILE", soft=10, hard=20),),
        "terminal": True,
    }
    return Process(**{**full, **fields})


def operations(
    network: bool = True, volumes: tuple[Volume, ...] = VOLUMES, **fields: Any
) -> list[tuple[str, ...]]:
    """The list for such a program."""
    return list(
        guest.operations(
            process(**fields), "node", volumes, network, SEED, 1_700_000_000_123_456_789, (33, 123)
        )
    )


def known() -> dict[str, int]:
    """Operation -> the number of its arguments, as the C program has them."""
    return {
        name: int(words) for name, words in re.findall(r'\{ "(\w+)", (\d), op_\w+ \}', HEADER.read_text())
    }


def test_the_guest_knows_each_operation() -> None:
    """By name and by number of words: else it would take an argument for a name."""
    table = known()
    assert len(table) > 20
    for name, *words in operations():
        assert table[name.removeprefix("?")] == len(words), name


def test_a_restored_machine_first_gets_another_seed_and_the_time() -> None:
    """Before anything could use the old ones."""
    first, second, *_ = operations()
    assert first == ("seed", SEED.hex())
    assert second == ("time", "1700000000", "123456789")


def test_the_root_comes_before_volumes_and_the_program_last() -> None:
    listed = operations()
    names = [name for name, *_ in listed]
    assert names[-1] == "exec" and names.count("exec") == 1
    assert names.index("root") < listed.index(("mkdir", "/data"))
    assert listed.index(("mkdir", "/data")) < names.index("arg")


def test_volumes_are_bound_then_made_read_only() -> None:
    listed = operations()
    assert ("touch", "/etc/one") in listed
    at = listed.index(("mount", "/dev/.volumes/1", "/etc/one", "", "4096", ""))
    assert listed[at + 1] == ("mount", "", "/etc/one", "", str(4096 | 32 | 1), "")  # MS_BIND|REMOUNT|RDONLY
    assert ("mount", "tmpfs", "/scratch", "tmpfs", "6", "size=2m") in listed
    assert listed.index(("unmount", "/dev/.volumes")) > at
    assert not [words for words in operations(volumes=()) if "/dev/.volumes" in words]


def test_the_program_as_it_was_asked_for() -> None:
    listed = operations()
    assert [words for name, *words in listed if name == "arg"] == [["sh"], ["-c"], ["echo"]]
    assert [words for name, *words in listed if name == "env"] == [["A=b"], ["PATH=/bin"]]
    assert ("user", "5", "6") in listed
    assert [words for name, *words in listed if name == "group"] == [["7"], ["8"]]
    assert ("rlimit", "7", "10", "20") in listed
    assert ("tty", "33", "123") in listed
    assert ("umask", "27") in listed
    assert "tty" not in {name for name, *_ in operations(terminal=False)}


def test_an_octal_umask_is_read_as_one() -> None:
    """0o27 goes over as 27."""
    assert re.search(r"program\.umask = strtol\(word\[0\], NULL, 8\)", HEADER.read_text())


def test_a_card_only_with_a_network() -> None:
    assert ("address", "eth0", "10.0.2.15", "255.255.255.0") in operations()
    assert [words for words in operations(network=False) if "eth0" in words] == []
    assert ("up", "lo") in operations(network=False)


@pytest.mark.parametrize("word", ["plain", "with space", "naïve", "\udcff raw", ""])
def test_words_are_sent_as_they_are(word: str) -> None:
    sent = guest.encode(iter([("arg", word), ("exec",)]))
    assert sent == b"arg\0" + word.encode("utf-8", "surrogateescape") + b"\0exec\0"
