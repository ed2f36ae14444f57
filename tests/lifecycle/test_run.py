"""What a program gets from `run`, and what its caller gets from the program's end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from minirun import native
from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import until

pytestmark = needs("root", "overlay")


@pytest.mark.parametrize("code", [0, 1, 2, 77, 125, 126, 127, 128, 137, 254, 255])
def test_the_exit_code_is_the_programs(minirun: Minirun, code: int) -> None:
    done = shell.run(minirun, "busybox", "sh", "-c", f"exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize(("signal", "code"), [("TERM", 143), ("KILL", 137), ("INT", 130), ("USR1", 138)])
def test_death_by_a_signal_is_128_and_its_number(minirun: Minirun, signal: str, code: int) -> None:
    # Under --init: to PID 1 its own signals do nothing (pid_namespaces(7)).
    done = shell.run(minirun, "--init", "busybox", "sh", "-c", f"kill -{signal} $$; sleep 100")
    assert (done.returncode, done.stderr) == (code, "")


def test_flags_reach_the_program(minirun: Minirun, tmp_path: Path) -> None:
    settings = tmp_path / "env"
    settings.write_text('FROM_FILE=yes\n# a comment\nBOTH=file\nQUOTED="as it is"\n')
    script = "pwd; id -u; id -g; id -G; hostname; env; echo $0; ls -ld /new/place"
    done = shell.run(
        minirun,
        *(
            "--env-file",
            str(settings),
            "-e",
            "GIVEN=a b=c",
            "-e",
            "BOTH=flag",
            "-e",
            "INHERITED",
            "-e",
            "UNSET",
        ),
        *("-w", "/new/place", "-u", "nobody:4242", "--group-add", "77", "-h", "box"),
        *("--entrypoint", "sh", "busybox", "-c", script, "name"),
        env={"INHERITED": "from the caller"},
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[:5] == ["/new/place", "65534", "4242", "4242 77", "box"]
    variables = dict(line.split("=", 1) for line in lines[5:-2])
    assert {"FROM_FILE": "yes", "GIVEN": "a b=c", "BOTH": "flag", "INHERITED": "from the caller"}.items() <= (
        variables.items()
    )
    assert (variables["QUOTED"], variables["HOSTNAME"], "UNSET" in variables) == ('"as it is"', "box", False)
    assert variables["PATH"].split(":")[-1] == "/bin"
    assert lines[-2] == "name"
    assert lines[-1].startswith("drwxr-xr-x")


def test_defaults(minirun: Minirun) -> None:
    script = 'pwd; id -u; echo "$HOME"; test "$(hostname)" = "$HOSTNAME" && hostname; umask; tty'
    done = minirun("run", "--network", "none", "--name", "plain", "busybox", "sh", "-c", script)
    id = minirun("inspect", "-f", "{{.id}}", "plain", check=True).stdout.strip()
    assert done.stdout.splitlines() == ["/", "0", "/root", id[:12], "0022", "not a tty"]


def test_labels_are_noted_and_the_name_is_kept(minirun: Minirun, tmp_path: Path) -> None:
    notes = tmp_path / "labels"
    notes.write_text("file=1\n")
    cidfile = tmp_path / "cid"
    words = ["-l", "team=core", "--label", "empty", "--label-file", str(notes), "--cidfile", str(cidfile)]
    minirun("run", "--network", "none", "--name", "noted", *words, "busybox", "true", check=True)
    assert minirun("inspect", "-f", "{{.labels}}", "noted").stdout.strip() == "file=1, team=core, empty="
    assert cidfile.read_text() == minirun("inspect", "-f", "{{.id}}", "noted").stdout.strip()
    again = minirun("run", "--network", "none", "--cidfile", str(cidfile), "busybox", "true")
    assert (again.returncode, again.stderr.splitlines()[0]) == (
        125,
        f"minirun: the file for the container's id exists: {cidfile}",
    )
    assert len(shell.ids(minirun)) == 1


def test_an_entrypoint_of_nothing_leaves_the_command(minirun: Minirun) -> None:
    assert shell.run(minirun, "--entrypoint", "", "busybox", "echo", "-n", "it").stdout == "it"
    assert shell.run(minirun, "--entrypoint", "/bin/echo", "busybox", "--", "-n").stdout == "-- -n\n"
    nothing = shell.run(minirun, "--entrypoint", "", "busybox")
    assert nothing.returncode == 125
    assert "there is no command to run" in nothing.stderr


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory of files that cannot be executed, each for another reason."""
    texts = {
        "no-interpreter": "#!/opt/lua/bin/lua -v\n",
        "crlf": "#!/bin/sh\r\necho hi\r\n",
        "no-first-line": "echo hi\n",
        "empty": "",
        "link-to-nowhere": "#!/etc/nowhere\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, newline="")
        (tmp_path / name).chmod(0o755)
    shutil.copy("/bin/sh", tmp_path / "dynamic")  # Debian's needs a loader and a C library
    foreign = bytearray(Path("/bin/sh").read_bytes()[:4096])
    foreign[18:20] = b"\xf7\x00"  # e_machine: EM_BPF
    foreign[56:58] = b"\x00\x00"  # e_phnum: needs no loader
    (tmp_path / "foreign").write_bytes(foreign)
    (tmp_path / "foreign").chmod(0o755)
    (tmp_path / "loop").symlink_to("loop")
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("nope", 127, "not in its PATH (/usr/local/sbin"),
        ("/bin/nope", 127, "/bin/nope: No such file"),
        ("/etc/passwd/x", 127, "Not a directory"),
        ("/etc", 126, "is a directory"),
        ("/etc/passwd", 126, "mode 0644"),
        ("/proc/self/exe", 126, "a link of /proc that leads out"),
        ("/x/no-interpreter", 126, "/x/no-interpreter begins with #!/opt/lua/bin/lua, which"),
        ("/x/crlf", 126, "its lines end with CR LF"),
        ("/x/no-first-line", 126, "exec format error"),
        ("/x/empty", 126, "is empty"),
        ("/x/dynamic", 126, "/x/dynamic needs /lib64/ld-linux-x86-64.so.2"),
        ("/x/foreign", 126, "exec format error"),
        ("/x/loop", 126, "a loop of links"),
    ],
)
def test_what_cannot_be_executed(
    minirun: Minirun, programs: Path, program: str, code: int, said: str
) -> None:
    done = minirun("run", "--network", "none", "-v", f"{programs}:/x:ro", "busybox", program)
    what, why, remedy = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (code, "")
    assert what.startswith(f"minirun: cannot run '{program}'")
    assert said in done.stderr
    assert why.startswith("  why: ")
    assert remedy.startswith("  try: ")
    assert shell.ids(minirun) == []


def test_under_init_the_missing_program_is_missed_as_well(minirun: Minirun) -> None:
    done = shell.run(minirun, "--init", "busybox", "nope")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        127,
        "minirun: cannot run 'nope': no such program in the container",
    )


@pytest.mark.parametrize("flags", [[], ["-d"], ["--rm"], ["-d", "--rm"]])
def test_a_program_that_only_the_kernel_refuses_leaves_nothing(
    minirun: Minirun, programs: Path, flags: list[str]
) -> None:
    """It passed the look at `create`; execve(2) has the last word. `create` and `start` keep it."""
    words = ["--network", "none", "-v", "/anonymous", "-v", f"{programs}:/x:ro"]
    before = shell.volumes(minirun)
    done = minirun("run", *flags, *words, "busybox", "/x/foreign")
    assert (done.returncode, done.stdout) == (126, "")
    until("it is gone", lambda: shell.ids(minirun) == [])
    assert shell.volumes(minirun) == before


def test_no_right_to_execute(minirun: Minirun, programs: Path) -> None:
    shutil.copy(native.path("init"), programs / "static")
    place = f"{programs}:/x"
    minirun("create", "--network", "none", "--name", "box", "-v", f"{place}:noexec", "busybox", "/x/static")
    for _ in range(2):
        done = minirun("start", "-a", "box")
        assert done.returncode == 126
        assert (
            "minirun: cannot run '/x/static': permission denied\n  why: /x/static: its mode does not"
            in done.stderr
        )
        assert minirun("wait", "box").stdout == "126\n"
    (programs / "static").chmod(0o700)
    done = shell.run(minirun, "-u", "nobody", "-v", place, "busybox", "/x/static")
    assert done.returncode == 126
    assert (
        shell.run(minirun, "-v", place, "busybox", "/x/static").returncode == 125
    )  # init says how it is used
