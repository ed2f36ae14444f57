"""What cannot be is refused: a line what, a line why, a line what to do, 125, and nothing left behind."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs

pytestmark = needs("root", "overlay")

RUN = [
    (["-m", "12x"], "--memory '12x' is not understood"),
    (["-m", "1k"], "--memory '1k' is not understood"),
    (["--memory", ""], "--memory '' is not understood"),
    (["--memory-swap", "1g"], "--memory-swap needs --memory"),
    (["-m", "1g", "--memory-swap", "1m"], "--memory-swap is below --memory"),
    (["--cpus", "zero"], "--cpus 'zero' is not understood"),
    (["--cpus", "0"], "--cpus '0' is not understood"),
    (["--cpuset-cpus", "x"], "x"),
    (["--cpuset-cpus", "4000"], "4000"),
    (["--pids-limit", "many"], "--pids-limit 'many' is not understood"),
    (["--mount", "nonsense"], "nonsense"),
    (["--mount", "type=bind,target=/x"], "source"),
    (["--mount", "type=nfs,target=/x"], "nfs"),
    (["--mount", "type=bind,source=/no/such/place,target=/x"], "/no/such/place"),
    (["--mount", "type=tmpfs,target=/x,colour=red"], "colour"),
    (["-v", "/etc:relative"], "relative"),
    (["-v", "/etc:/x:purple"], "purple"),
    (["-v", "/etc:/x:ro:rw:z"], "/etc:/x:ro:rw:z"),
    (["--tmpfs", "relative"], "relative"),
    (["--tmpfs", "/x:size=much"], "much"),
    (["--ulimit", "nofile"], "nofile"),
    (["--ulimit", "nofile=9:1"], "nofile"),
    (["--ulimit", "colour=1"], "colour"),
    (["--sysctl", "kernel.hostname"], "kernel.hostname"),
    (["--sysctl", "vm.swappiness=1"], "vm.swappiness"),
    (["--device", "/dev/no-such-device"], "/dev/no-such-device"),
    (["--device", "/dev/null:/dev/x:q"], "/dev/null:/dev/x:q"),
    (["--cap-add", "FLY"], "FLY"),
    (["--cap-drop", "CAP_"], "CAP_"),
    (["--security-opt", "seccomp=/no/such/file.json"], "/no/such/file.json"),
    (["--security-opt", "seccomp={dir}/bad.json"], "{dir}/bad.json"),
    (["--security-opt", "seccomp={dir}/wrong.json"], "SCMP_ACT_FLY"),
    (["--security-opt", "colour=red"], "colour"),
    (["--env-file", "/no/such/env"], "--env-file '/no/such/env' is not understood"),
    (["--env-file", "{dir}/env"], "--env-file '{dir}/env' is not understood"),
    (["--env-file", "{dir}"], "--env-file '{dir}' is not understood"),
    (["--label-file", "{dir}/labels"], "--label-file '{dir}/labels' is not understood"),
    (["-e", "=x"], "--env '=x' is not understood"),
    (["-u", "nobody-knows"], "nobody-knows"),
    (["-u", "0:nobody-knows"], "nobody-knows"),
    (["--group-add", "nobody-knows"], "nobody-knows"),
    (["-w", "relative"], "relative"),
    (["--name", "a b"], "'a b' cannot be a container's name"),
    (["--name", "../x"], "'../x' cannot be a container's name"),
    (["--hostname", "x" * 65], "x" * 65),
    (["--network", "cni:x"], "no CNI network x"),
    (["--network", "container:nobody"], "no such container: nobody"),
    (["--ipc", "container:nobody"], "no such container: nobody"),
    (["--pid", "everyone"], "--pid 'everyone' is not understood"),
    (["--userns", "auto", "--privileged"], "--privileged and --userns auto contradict each other"),
    (["-p", "80:80"], "--publish and --network none contradict each other"),
    (["--stop-signal", "NOPE"], "--stop-signal 'NOPE' is not understood"),
    (["--stop-timeout", "soon"], "--stop-timeout 'soon' is not understood"),
    (["--oom-score-adj", "5000"], "--oom-score-adj '5000' is not understood"),
    (["--umask", "9"], "--umask '9' is not understood"),
    (["--shm-size", "-1"], "--shm-size '-1' is not understood"),
    (["-d", "-a", "stdout"], "--detach and --attach contradict each other"),
    (["--hostname", "x", "--uts", "host"], "--hostname and --uts host contradict each other"),
    (["-i", "-t"], "the input device is not a terminal"),
    (["--cidfile", "/no/such/folder/cid"], "/no/such/folder/cid"),
    (["--detach=perhaps"], "--detach 'perhaps' is not understood"),
    (["--no-such-flag"], "no such option '--no-such-flag'"),
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with files that are not what they should be."""
    (tmp_path / "bad.json").write_text('{"defaultAction": ')
    (tmp_path / "wrong.json").write_text('{"defaultAction": "SCMP_ACT_FLY", "syscalls": []}')
    (tmp_path / "env").write_text("GOOD=1\nno good=2\n")
    (tmp_path / "labels").write_bytes(b"=\xff\n")
    return tmp_path


def _is_an_error(done: object, said: str) -> None:
    """One line what, one why, one what to do; nothing on stdout, exit code 125."""
    assert (done.returncode, done.stdout) == (125, "")
    told: str = done.stderr
    assert re.fullmatch(r"minirun: [^\n]+\n  why: [^\n]+\n  try: [^\n]+\n", told), told
    assert said in told
    assert "bug" not in told


@pytest.mark.parametrize(("flags", "said"), RUN, ids=[" ".join(flags)[:30] for flags, _ in RUN])
def test_run_refuses(minirun: Minirun, files: Path, flags: list[str], said: str) -> None:
    words = [flag.replace("{dir}", str(files)) for flag in flags]
    network = [] if "--network" in words else ["--network", "none"]
    before = _everything(minirun)
    done = minirun("run", *network, *words, "busybox", "true")
    _is_an_error(done, said.replace("{dir}", str(files)))
    assert _everything(minirun) == before


def _everything(minirun: Minirun) -> list[set[str]]:
    """All that a container takes on disk; what it takes of the kernel is looked at after each test."""
    roots = [minirun.root / name for name in ("containers", "names", "volumes", "ids")]
    places = [*roots, minirun.state / "containers"]
    return [set(os.listdir(place)) if place.is_dir() else set() for place in places]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--network", "none", "no-such-image", "true"], "no-such-image"),
        (["run", "--network", "none", "busybox:no-such-tag", "true"], "busybox:no-such-tag"),
        (["run", "--network", "none", "Not/A/REFERENCE!", "true"], "Not/A/REFERENCE!"),
        (["run"], "missing argument 'IMAGE'"),
        (["create", "--network", "none", "busybox", "/no/such/program"], "/no/such/program"),
        (["exec"], "missing argument 'CONTAINER'"),
        (["exec", "box"], "missing argument 'COMMAND...'"),
        (["ps", "--filter", "colour=red"], "colour"),
        (["logs"], "missing argument 'CONTAINER'"),
        (["stop", "-t", "soon", "box"], "soon"),
        (["inspect", "--type", "pod", "box"], "pod"),
        (["frobnicate"], "there is no command 'frobnicate'"),
    ],
)
def test_other_words_are_refused(minirun: Minirun, words: list[str], said: str) -> None:
    done = minirun(*words)
    if "/no/such/program" in words:
        assert done.returncode == 127
        done.returncode = 125
    _is_an_error(done, said)
    assert shell.ids(minirun) == []


def test_a_name_that_is_taken_is_given_back_only_by_its_holder(minirun: Minirun) -> None:
    minirun("create", "--network", "none", "--name", "box", "busybox", "true", check=True)
    before = _everything(minirun)
    _is_an_error(
        minirun("create", "--network", "none", "--name", "box", "busybox", "true"), "'box' is in use"
    )
    assert _everything(minirun) == before
    failing = minirun("create", "--network", "none", "--name", "other", "-u", "nope", "busybox", "true")
    _is_an_error(failing, "nope")
    minirun("create", "--network", "none", "--name", "other", "busybox", "true", check=True)


def test_a_store_that_cannot_be_written(minirun: Minirun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = minirun("--state", str(tmp_path / "file" / "x"), "run", "--network", "none", "busybox", "true")
    _is_an_error(done, str(tmp_path / "file"))
    done = minirun("--root", str(tmp_path / "empty"), "run", "--network", "none", "busybox", "true")
    _is_an_error(done, "busybox")
