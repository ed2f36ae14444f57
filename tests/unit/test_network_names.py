"""Who finds whom: hosts files that change while they are read."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import InvalidInput, UsageError
from minirun.network import hosts_file, names
from minirun.network.names import Member
from tests.unit.together import together

NET = "minirun"
LOCALHOST = b"127.0.0.1\tlocalhost\n"


def member(state: Path, number: int, *aliases: str) -> Member:
    """A container with a hosts file of its own."""
    file = state / f"hosts-{number}"
    file.write_bytes(LOCALHOST)
    id = f"{number:064x}"[::-1]
    return Member(
        id=id,
        names=(f"web{number}", id[:12], *aliases),
        addresses=(f"10.88.0.{number}", f"fd00::{number:x}"),
        hosts_file=str(file),
    )


def active(content: bytes) -> list[bytes]:
    """The lines that a resolver heeds, in the order of the file."""
    return [line.rstrip(b" ") for line in content.split(b"\n") if line.strip() and not line.startswith(b"#")]


def known(of: Member) -> set[bytes]:
    """What stands in the hosts file of ``of`` beside localhost."""
    return set(active(Path(of.hosts_file).read_bytes())) - {LOCALHOST.strip()}


def expected(everybody: list[Member]) -> set[bytes]:
    """What stands in everybody's, then."""
    return {line for each in everybody for line in names.hosts_lines(NET, each)}


def test_lines() -> None:
    """A name alone and with the network's domain; the short id alone."""
    web = Member(id="abcdef123456" + "0" * 52, names=("web", "abcdef123456", "db"), addresses=("10.88.0.3",))
    assert names.hosts_lines(NET, web) == [b"10.88.0.3\tweb web.minirun abcdef123456 db db.minirun"]
    assert names.hosts_lines(NET, Member(id="1", addresses=("10.88.0.3",))) == []
    assert names.hosts_lines(NET, Member(id="1", names=("web",))) == []


def test_many_names_take_several_lines() -> None:
    """A resolver that reads 512 bytes of a line finds them all."""
    aliases = tuple(f"alias-number-{n}" for n in range(100))
    lines = names.hosts_lines(NET, Member(id="1", names=aliases, addresses=("10.88.0.3",)))
    assert max(map(len, lines)) < 512
    found = [word for line in lines for word in line.decode().split("\t")[1].split()]
    assert found == [word for name in aliases for word in (name, f"{name}.{NET}")]


def test_join_and_leave(tmp_path: Path) -> None:
    """All know all, whoever came first; who left is forgotten, and forgets."""
    one, two, three = (member(tmp_path, number) for number in (1, 2, 3))
    for each in (one, two, three):
        names.join(str(tmp_path), NET, each)
    assert names.members(str(tmp_path), NET) == [one, two, three]
    assert known(one) == known(two) == known(three) == expected([one, two, three])
    names.leave(str(tmp_path), NET, two.id)
    assert known(one) == known(three) == expected([one, three])
    assert known(two) == set()
    names.leave(str(tmp_path), NET, two.id)
    assert names.members(str(tmp_path), NET) == [one, three]


def test_nobody_there(tmp_path: Path) -> None:
    """A network that nobody was ever on."""
    names.leave(str(tmp_path), NET, "1")
    assert names.members(str(tmp_path), NET) == []
    assert list(tmp_path.iterdir()) == []


def test_the_file_stays_the_same_file(tmp_path: Path) -> None:
    """It is mounted into the container: another one in its place would not be seen there."""
    one, two = member(tmp_path, 1), member(tmp_path, 2)
    before = os.stat(one.hosts_file).st_ino
    names.join(str(tmp_path), NET, one)
    names.join(str(tmp_path), NET, two)
    names.leave(str(tmp_path), NET, two.id)
    assert os.stat(one.hosts_file).st_ino == before


def test_two_networks(tmp_path: Path) -> None:
    """Leaving one leaves the names of the other."""
    one, two = member(tmp_path, 1), member(tmp_path, 2)
    for network in (NET, "back"):
        names.join(str(tmp_path), network, one)
        names.join(str(tmp_path), network, two)
    names.leave(str(tmp_path), NET, two.id)
    assert set(names.hosts_lines("back", two)) <= known(one)
    assert not set(names.hosts_lines(NET, two)) & known(one)


def test_joining_again_replaces(tmp_path: Path) -> None:
    """A container that comes back with another address has one only."""
    one, two = member(tmp_path, 1), member(tmp_path, 2)
    names.join(str(tmp_path), NET, one)
    names.join(str(tmp_path), NET, two)
    again = Member(id=two.id, names=two.names, addresses=("10.88.0.99",), hosts_file=two.hosts_file)
    names.join(str(tmp_path), NET, again)
    assert names.members(str(tmp_path), NET) == [one, again]
    assert known(one) == known(two) == expected([one, again])


def test_who_has_no_file_is_found_all_the_same(tmp_path: Path) -> None:
    """And one whose file is gone is no reason to fail."""
    one, two = member(tmp_path, 1), member(tmp_path, 2)
    bare = Member(id="3", names=("bare",), addresses=("10.88.0.3",))
    os.unlink(two.hosts_file)
    for each in (one, two, bare):
        names.join(str(tmp_path), NET, each)
    assert known(one) == expected([one, two, bare])
    names.leave(str(tmp_path), NET, two.id)
    assert not os.path.exists(two.hosts_file)


@pytest.mark.parametrize("name", ["", "a b", "a\n6.6.6.6 bank", "a\tb", "#", "-x", ".x", "ä", "x" * 254])
def test_a_name_that_would_write_more_than_itself(tmp_path: Path, name: str) -> None:
    """Refused before anything is written."""
    with pytest.raises(UsageError, match="cannot be looked up"):
        names.join(str(tmp_path), NET, member(tmp_path, 1, name))
    assert names.members(str(tmp_path), NET) == []


def test_a_damaged_list(tmp_path: Path) -> None:
    """Said, with its path."""
    names.join(str(tmp_path), NET, member(tmp_path, 1))
    place = tmp_path / "networks" / NET / "names"
    place.write_text("rubbish\n")
    with pytest.raises(InvalidInput, match=str(place)):
        names.members(str(tmp_path), NET)


def test_a_lease_in_the_container_holds_nobody_up(tmp_path: Path) -> None:
    """Root in there may take a lease on its file, and open(2) would wait for it for 45 seconds."""
    one, two = member(tmp_path, 1), member(tmp_path, 2)
    names.join(str(tmp_path), NET, one)
    held = os.open(one.hosts_file, os.O_RDONLY)
    asked: list[int] = []
    before = signal.signal(signal.SIGIO, lambda *_: asked.append(1))
    try:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        names.join(str(tmp_path), NET, two)
        assert asked, "the lease was not in the way: the test tests nothing"
    finally:
        os.close(held)
        signal.signal(signal.SIGIO, before)
    assert known(two) == expected([one, two])
    assert known(one) == expected([one])  # had it waited, the lease would have been broken


def test_a_file_that_the_container_made_huge_is_left_alone(tmp_path: Path) -> None:
    """Nobody's join shall read a gigabyte."""
    one, two = member(tmp_path, 1), member(tmp_path, 2)
    names.join(str(tmp_path), NET, one)
    os.truncate(one.hosts_file, 2**40)
    names.join(str(tmp_path), NET, two)
    assert os.stat(one.hosts_file).st_size == 2**40


# --- at every moment of a change ----------------------------------------------

NAMES = st.sampled_from(["a", "b", "web", "web2", "db"])
LINES = st.builds(
    lambda address, words: f"{address}\t{' '.join(words)}".encode(),
    st.sampled_from(["10.0.0.1", "10.0.0.11", "10.0.0.2", "fd00::1", "d00::1"]),
    st.lists(NAMES, min_size=1, max_size=3),
)
FOREIGN = st.one_of(
    st.sampled_from(
        [b"", b"#", b"# a comment", b"#  ", b"#            ", b"#" + b" " * 60, b"   ", b"::1\tx"]
    ),
    LINES,
    LINES.map(lambda line: b"#" + line[1:]),
    LINES.map(lambda line: line + b"     "),
    st.binary(max_size=20).filter(lambda raw: b"\n" not in raw),
)
CONTENTS = st.builds(
    lambda lines, end: b"\n".join(lines) + end, st.lists(FOREIGN, max_size=8), st.sampled_from([b"\n", b""])
)


def moments(content: bytes, writes: list[tuple[int, bytes]]) -> list[bytes]:
    """The file after each of the writes."""
    seen = [content]
    for offset, what in writes:
        assert offset <= len(seen[-1]), "a hole would be left"
        seen.append(seen[-1][:offset] + what + seen[-1][offset + len(what) :])
    return seen


def enumerate_lines(content: bytes) -> list[tuple[int, bytes]]:
    """Each line of ``content``, and where it begins."""
    lines = content.split(b"\n")
    return [(sum(len(before) + 1 for before in lines[:n]), line) for n, line in enumerate(lines)]


def is_place(line: bytes) -> bool:
    """Nothing but a place for a line to come."""
    return len(line) > 2 and line.startswith(b"#") and not line[1:].strip(b" ")


@given(CONTENTS, st.lists(LINES, max_size=4))
def test_added_at_every_moment(content: bytes, lines: list[bytes]) -> None:
    """A reader meets what was there and some of what is to come, whole lines only; nothing moves."""
    before = active(content)
    seen = moments(content, hosts_file.added(content, lines))
    for now in seen:
        assert len(now) >= len(content)
        rest = active(now)
        for line in before:
            rest.remove(line)
        for line in rest:
            assert line in lines
    assert sorted(active(seen[-1])) == sorted(before + lines)
    for offset, line in enumerate_lines(content):
        assert is_place(line) or seen[-1][offset : offset + len(line)] == line


@given(CONTENTS, st.lists(LINES, max_size=4))
def test_removed_at_every_moment(content: bytes, lines: list[bytes]) -> None:
    """A reader meets whole lines only, those to go or not; nothing moves, and no other line goes."""
    before = active(content)
    seen = moments(content, hosts_file.removed(content, lines))
    for now in seen:
        assert len(now) == len(content)
        assert [at for at, byte in enumerate(now) if byte == 10] == [
            at for at, byte in enumerate(content) if byte == 10
        ]
        assert [line for line in active(now) if line not in lines] == [
            line for line in before if line not in lines
        ]
        assert set(active(now)) <= set(before)
    assert not set(active(seen[-1])) & set(lines)


def test_a_line_within_another() -> None:
    """The end of a longer one is not the line that is looked for."""
    content = b"::1\tx\nfd00::1\tweb\n110.0.0.1\ta b\n10.0.0.1\ta b c\n"
    assert hosts_file.removed(content, [b"d00::1\tweb", b"10.0.0.1\ta b"]) == []


@given(CONTENTS, st.lists(LINES, max_size=4, unique=True))
def test_added_and_removed_is_as_before(content: bytes, lines: list[bytes]) -> None:
    """What others wrote stays, byte for byte, but for places."""
    lines = [line for line in lines if line[1:] not in content]
    *_, there = moments(content, hosts_file.added(content, lines))
    *_, gone = moments(there, hosts_file.removed(there, lines))
    assert active(gone) == active(content)

    def others(raw: bytes) -> list[bytes]:
        return [line for line in raw.split(b"\n") if line and not is_place(line)]

    assert others(gone) == others(content)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_a_file_does_not_grow_for_ever(steps: list[tuple[bool, int]]) -> None:
    """Places are used again: at most one for each that was there at the same time."""
    everybody = [f"10.0.0.{n}\tweb{n}".encode() for n in range(6)]
    content, there, most = LOCALHOST, set[int](), 0
    for comes, n in steps:
        if comes != (n in there):
            change = hosts_file.added if comes else hosts_file.removed
            *_, content = moments(content, change(content, [everybody[n]]))
            there ^= {n}
        most = max(most, len(there))
    assert len(content) == len(LOCALHOST) + most * (len(everybody[0]) + 1)


@given(CONTENTS, LINES)
def test_a_writer_that_was_killed(content: bytes, line: bytes) -> None:
    """What it left as a comment is taken away with the line itself."""
    for now in moments(content, hosts_file.added(content, [line])):
        *_, gone = moments(now, hosts_file.removed(now, [line]))
        assert line not in active(gone)
        assert b"#" + line[1:] not in gone.split(b"\n")


def test_fifty_come_and_go_at_once(tmp_path: Path) -> None:
    """Half of them stay: they know one another and nobody else, and no file has grown beyond need."""
    state = str(tmp_path)
    everybody = [member(tmp_path, number) for number in range(1, 51)]

    def work(number: int) -> None:
        for _ in range(3):
            names.join(state, NET, everybody[number])
            names.leave(state, NET, everybody[number].id)
        if number % 2:
            names.join(state, NET, everybody[number])

    assert all(together(50, work))
    staying = everybody[1::2]
    assert {each.id for each in names.members(state, NET)} == {each.id for each in staying}
    for each in everybody:
        assert known(each) == (expected(staying) if each in staying else set())
        content = Path(each.hosts_file).read_bytes()
        assert content.count(b"\n") <= 1 + 2 * (50 + 50 // 2)  # two lines each, and some places


def test_a_reader_meets_whole_lines_only(tmp_path: Path) -> None:
    """While others come and go, whoever looks finds true lines, and always the one who stays."""
    state = str(tmp_path)
    first, second, *others = (member(tmp_path, number) for number in range(1, 12))
    for each in (first, second):
        names.join(state, NET, each)
    true = expected([first, second, *others]) | {LOCALHOST.strip()}
    lasting = expected([first, second])

    def work(number: int) -> None:
        if number:
            for _ in range(20):
                names.join(state, NET, others[number])
                names.leave(state, NET, others[number].id)
            return
        for _ in range(2000):
            found = set(active(Path(first.hosts_file).read_bytes()))
            assert found <= true, found - true
            assert lasting <= found

    assert all(together(5, work))
