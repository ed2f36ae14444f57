"""``minirun pod cp``: files in and out, and a container that wants to do harm with it."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from minirun.errors import Conflict, MinirunError, NotFound
from minirun.linux.path import Resolve
from minirun.pod import copy
from tests.needs import needs
from tests.pod.living import FOREVER, Living, Pods, app, pod, proc_status

rooted = needs("root", "overlay", "memory", "cpu", "pids")


# --- the copying itself: a directory stands for the container ------------------------------


class Two:
    """A root that a container would have, and a directory of the host's."""

    def __init__(self, place: Path) -> None:
        self.inside, self.outside = place / "inside", place / "outside"
        self.inside.mkdir()
        self.outside.mkdir()
        root = os.open(self.inside, os.O_PATH | os.O_DIRECTORY)
        self.theirs = copy.Side("box:", root, "/work", Resolve.IN_ROOT, 0o7777)
        self.skipped: list[tuple[str, str]] = []

    def out(self, path: str, to: Path | None = None) -> None:
        """From the container to the host."""
        copy.copy(self.theirs, path, copy.host(), str(to or self.outside), self._skip)

    def into(self, path: Path | str, to: str) -> None:
        """The other way."""
        copy.copy(copy.host(), str(path), self.theirs, to, self._skip)

    def _skip(self, path: str, kind: str) -> None:
        self.skipped.append((path, kind))


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """Both sides."""
    return Two(tmp_path)


def tree(place: Path) -> dict[str, tuple[str, str]]:
    """Every path below: its type with mode, and its content."""
    found = {}
    for path in sorted(place.rglob("*")):
        kind = stat.filemode(path.lstat().st_mode)
        if path.is_symlink():
            content = os.readlink(path)
        else:
            content = path.read_text() if path.is_file() else ""
        found[str(path.relative_to(place))] = (kind, content)
    return found


def fill(place: Path) -> None:
    """Some of everything."""
    (place / "sub/deep").mkdir(parents=True)
    (place / "a").write_text("a")
    (place / "a").chmod(0o751)
    (place / "sub/b").write_text("b")
    (place / "sub/deep/link").symlink_to("../b")
    (place / "dangling").symlink_to("/no/such")
    (place / "empty").mkdir()
    (place / "empty").chmod(0o1700)
    (place / "sub").chmod(0o500)


def test_a_tree_there_and_back(two: Two) -> None:
    """Content, modes, links; directories without write permission are filled first."""
    source = two.outside / "source"
    source.mkdir()
    fill(source)
    two.into(source, "/copied")
    assert tree(two.inside / "copied") == tree(source)
    two.out("/copied", two.outside / "back")
    back = tree(two.outside / "back")
    assert back.pop("empty") == ("drwx------", "")  # what comes out has no bits beyond 0777
    assert back == {key: value for key, value in tree(source).items() if key != "empty"}
    assert not two.skipped


def test_where_it_goes_is_cps_rule(two: Two) -> None:
    """Into a directory that is there, else under the new name; /. is the content alone."""
    (two.inside / "d").mkdir()
    (two.inside / "d/f").write_text("f")
    two.out("/d/f")
    two.out("/d/f", two.outside / "g")
    two.out("/d")
    two.out("/d/f", two.outside / "d")  # over the one that is there
    two.out("/d/.", two.outside / "new")
    (two.outside / "old").mkdir()
    two.out("/d/.", two.outside / "old")
    assert set(tree(two.outside)) == {"f", "g", "d", "d/f", "new", "new/f", "old", "old/f"}
    (two.inside / "work").mkdir()
    two.into(two.outside / "f", "relative")  # from the working directory
    assert (two.inside / "work/relative").read_text() == "f"


def test_a_longer_file_is_replaced_whole(two: Two) -> None:
    """Not only its beginning; and holes are holes."""
    (two.outside / "f").write_text("x" * 5000)
    (two.inside / "f").write_text("short")
    two.out("/f")
    assert (two.outside / "f").read_text() == "short"
    with open(two.inside / "holes", "wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 30)
        file.write(b"here")
    two.out("/holes")
    found = (two.outside / "holes").stat()
    assert found.st_size == 1 << 40 and found.st_blocks < 1 << 14
    with open(two.outside / "holes", "rb") as file:
        file.seek(1 << 30)
        assert file.read(6) == b"here\0\0"


def test_what_is_no_file_is_left_out(two: Two) -> None:
    """A pipe does not hold it up."""
    (two.inside / "d").mkdir()
    os.mkfifo(two.inside / "d/pipe")
    (two.inside / "d/file").write_text("")
    two.out("/d")
    assert set(tree(two.outside)) == {"d", "d/file"}
    assert two.skipped == [("/d/pipe", "a pipe")]
    two.out("/d/pipe")
    assert two.skipped[1:] == [("/d/pipe", "a pipe")]


LEADING_OUT: tuple[Callable[[Path, Path], None], ...] = (
    lambda inside, secret: (inside / "way").symlink_to(secret),
    lambda inside, secret: (inside / "way").symlink_to(os.path.relpath(secret, inside)),
    lambda inside, secret: (inside / "way").symlink_to(f"/proc/self/root{secret}"),
)


@pytest.mark.parametrize("make", LEADING_OUT, ids=["absolute", "relative", "magic"])
def test_no_link_leads_out_of_the_container(two: Two, make: Callable[[Path, Path], None]) -> None:
    """Neither for what is read, nor for what is written."""
    secret = two.outside / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    make(two.inside, secret)
    with pytest.raises(NotFound):
        two.out("/way/key", two.outside / "stolen")
    (two.outside / "f").write_text("f")
    with pytest.raises(NotFound):
        two.into(two.outside / "f", "/way/f")
    with pytest.raises(NotFound):
        two.out("/../outside/secret/key", two.outside / "stolen")
    assert set(tree(two.outside)) == {"secret", "secret/key", "f"}


def test_a_link_stays_inside_the_root(two: Two) -> None:
    """An absolute one begins at the container's /."""
    (two.inside / "etc").mkdir()
    (two.inside / "etc/real").write_text("theirs")
    (two.inside / "name").symlink_to("/etc/real")
    two.out("/name")
    assert (two.outside / "name").read_text() == "theirs"


def test_links_in_the_way_of_what_is_written_are_replaced(two: Two) -> None:
    """The second of two copies does not go through the link that the first one brought."""
    precious = two.outside / "precious"
    precious.write_text("mine")
    for number, content in enumerate((None, "evil")):
        place = two.inside / f"d{number}"
        place.mkdir()
        if content is None:
            (place / "x").symlink_to(precious)
        else:
            (place / "x").write_text(content)
    target = two.outside / "target"
    two.out("/d0/.", target)
    two.out("/d1/.", target)
    assert precious.read_text() == "mine"
    assert (target / "x").read_text() == "evil" and not (target / "x").is_symlink()


def test_a_link_to_a_directory_is_not_entered(two: Two) -> None:
    """Where one stands on our side, and theirs has a directory, it ends."""
    precious = two.outside / "precious"
    precious.mkdir()
    (two.inside / "d/x").mkdir(parents=True)
    (two.inside / "d/x/evil").write_text("evil")
    target = two.outside / "target"
    target.mkdir()
    (target / "x").symlink_to(precious)
    with pytest.raises(MinirunError, match="cannot copy"):
        two.out("/d/.", target)
    assert not list(precious.iterdir())


def test_directories_that_change_while_they_are_copied(two: Two, tmp_path: Path) -> None:
    """A directory that becomes a link at the wrong moment, thousands of times: nothing comes from outside."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    inner = two.inside / "d/inner"
    inner.mkdir(parents=True)
    (inner / "key").write_text("harmless")
    other = two.inside / "d/other"
    other.symlink_to(secret)
    stop = threading.Event()

    def swap() -> None:
        spare = two.inside / "spare"
        while not stop.is_set():
            os.rename(inner, spare)
            os.rename(other, inner)
            os.rename(inner, other)
            os.rename(spare, inner)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(200):
            place = two.outside / str(number)
            two.out("/d", place)
            for path, (kind, content) in tree(place).items():
                assert content != "private" or kind.startswith("l"), path
    finally:
        stop.set()
        thread.join()


def test_bits_that_make_a_program_somebody_else_stay_inside(two: Two) -> None:
    """A set-user-ID program of the container's root would be one of ours; the other way it is our word."""
    (two.inside / "su").write_text("")
    (two.inside / "su").chmod(0o4755)
    two.out("/su")
    assert stat.S_IMODE((two.outside / "su").stat().st_mode) == 0o755
    (two.outside / "ours").write_text("")
    (two.outside / "ours").chmod(0o2750)
    two.into(two.outside / "ours", "/ours")
    assert stat.S_IMODE((two.inside / "ours").stat().st_mode) == 0o2750


def test_a_deep_tree(two: Two) -> None:
    """As deep as a path can be, and no recursion."""
    place = str(two.inside / "d")
    depth = 300
    os.makedirs(place + "/d" * depth)
    two.out("/d")
    assert os.path.isdir(str(two.outside / "d") + "/d" * depth)


def test_what_contradicts_is_refused(two: Two) -> None:
    """A directory over a file; a file onto itself, or into itself."""
    (two.inside / "d").mkdir()
    (two.outside / "f").write_text("f")
    with pytest.raises(Conflict):
        two.out("/d", two.outside / "f")
    with pytest.raises(NotFound):
        two.out("/nope")
    with pytest.raises(NotFound):
        two.into(two.outside / "f", "/no/such/place")
    with pytest.raises(NotFound):
        two.into(two.outside / "f", "/new/")
    os.link(two.outside / "f", two.inside / "same")
    with pytest.raises(MinirunError, match="cannot copy"):
        two.into(two.outside / "f", "/same")
    assert (two.outside / "f").read_text() == "f"
    two.into(two.inside / "d", "/d/e")  # a directory into itself: once
    assert set(tree(two.inside / "d")) == {"e"}


def test_ids_of_a_user_namespace() -> None:
    """Ours maps every id to itself."""
    assert copy.host_id(os.getpid(), "uid", 1000) == 1000


# --- the command ---------------------------------------------------------------------------


@pytest.fixture
def box(pods: Pods) -> Living:
    """A pod whose second container runs as a user, with a volume."""
    volume = {"name": "data", "emptyDir": {}}
    mount = {"name": "data", "mountPath": "/data"}
    user = app(FOREVER, "user", securityContext={"runAsUser": 1000, "runAsGroup": 1001})
    return pods.create(
        pod("box", app(FOREVER, volumeMounts=[mount]), {**user, "volumeMounts": [mount]}, volumes=[volume])
    )


@rooted
def test_in_and_out_of_a_pod(box: Living, tmp_path: Path) -> None:
    """Also of its volumes; /proc says that its files are empty, and they are not."""
    source = tmp_path / "source"
    source.mkdir()
    fill(source)
    assert box.minirun("pod", "cp", "-c", "app", str(source), "box:/data/", check=True).stdout == ""
    assert box.exec("cat", "/data/source/sub/b") == "b"
    assert box.exec("stat", "-c", "%a", "/data/source/sub") == "500\n"
    box.minirun("pod", "cp", "-c", "app", "box:data/source", str(tmp_path / "back"), check=True)
    assert (tmp_path / "back/a").read_text() == "a"
    box.minirun("pod", "cp", "-c", "app", "box:/proc/1/comm", str(tmp_path), check=True)
    assert (tmp_path / "comm").read_text() == box.exec("cat", "/proc/1/comm")


@rooted
def test_what_goes_in_belongs_to_who_runs_there(box: Living, tmp_path: Path) -> None:
    """So that the program can use it."""
    (tmp_path / "f").write_text("f")
    (tmp_path / "f").chmod(0o600)
    box.minirun("pod", "cp", "-c", "user", str(tmp_path / "f"), "box:/data/f", check=True)
    assert box.exec("stat", "-c", "%u:%g %a", "/data/f", container="user") == "1000:1001 600\n"
    assert box.exec("cat", "/data/f", container="user") == "f"


@rooted
def test_a_pod_with_users_of_its_own(pods: Pods, tmp_path: Path) -> None:
    """hostUsers: false: its root is nobody outside, and still the owner of what is copied there."""
    nobody = pods.create(pod("nobody", app(), hostUsers=False))
    assert proc_status(nobody.pid(), "Uid").split()[0] != "0"
    (tmp_path / "f").write_text("f")
    nobody.minirun("pod", "cp", str(tmp_path / "f"), "nobody:/tmp/f", check=True)
    assert nobody.exec("stat", "-c", "%u", "/tmp/f") == "0\n"
    nobody.minirun("pod", "cp", "nobody:/tmp/f", str(tmp_path / "g"), check=True)
    assert (tmp_path / "g").stat().st_uid == os.geteuid()


@rooted
def test_words_of_the_command(box: Living, tmp_path: Path) -> None:
    """Which side is the pod; what is refused, in three lines."""
    minirun = box.minirun
    for words, why in (
        (("a", "b"), "one of the two has to be in a pod"),
        (("box:/a", "box:/b"), "one of the two has to be in a pod"),
        (("box:/nope", str(tmp_path)), "ENOENT"),
        (("nopod:/a", str(tmp_path)), "no such pod: nopod"),
        (("-c", "nope", "box:/etc", str(tmp_path)), "has no container nope"),
        (("box:/etc", "-"), "a tar archive on standard input or output is not supported"),
    ):
        refused = minirun("pod", "cp", *words)
        assert refused.returncode == 125 and why in refused.stderr, refused.stderr
    (tmp_path / "a:b").write_text("colon")
    minirun("pod", "cp", "-c", "app", "./a:b", "box:/tmp/c", check=True, cwd=tmp_path)
    assert box.exec("cat", "/tmp/c") == "colon"
    box("stop")
    refused = minirun("pod", "cp", "-c", "app", "box:/etc", str(tmp_path))
    assert refused.returncode == 125 and "it does not run" in refused.stderr
