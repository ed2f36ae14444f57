"""exec: one more program in a container, with all that the container's own has, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import proc, shell
from tests.needs import needs
from tests.patience import PATIENCE, until

pytestmark = [needs("root", "overlay"), pytest.mark.bed, pytest.mark.slow]

#: What makes a program a member: looked up on the host, of the guest and of the container's first process.
SHARED = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")


@pytest.fixture
def box(minirun: Minirun) -> int:
    """The container ``box``; its first process."""
    return proc.start(minirun, "box", "-e", "OWN=1", "-w", "/tmp", "-h", "inside")


def _guest(minirun: Minirun, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """A program in ``box`` that waits for its stdin to end; its pid on the host."""
    process = shell.watched(minirun, "exec", "-i", *words, "box", "cat", stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write(b"ready\n")
    process.stdin.flush()
    assert shell.line(process) == "ready"
    return process, int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--userns", "private", "--cgroupns", "host"),
        ("-u", "nobody:77", "--cap-drop", "ALL", "--ulimit", "nofile=300:400", "--oom-score-adj", "321"),
        ("--privileged", "--time", "private", "-m", "64m", "--pids-limit", "20", "--umask", "027"),
        ("--pid", "host", "--ipc", "host", "--uts", "host", "--network", "host"),
    ],
    ids=["plain", "userns", "weak", "mighty", "hosts"],
)
def test_a_guest_is_where_the_container_is(minirun: Minirun, flags: tuple[str, ...]) -> None:
    pid = proc.start(minirun, "box", *flags)
    process, guest = _guest(minirun)
    try:
        assert proc.namespaces(guest) == proc.namespaces(pid)
        assert _text(guest, "cgroup") == _text(pid, "cgroup")
        assert _text(guest, "limits") == _text(pid, "limits")
        assert _text(guest, "oom_score_adj") == _text(pid, "oom_score_adj")
        assert _text(guest, "environ") == _text(pid, "environ")
        for link in ("root", "cwd"):
            assert os.stat(f"/proc/{guest}/{link}").st_ino == os.stat(f"/proc/{pid}/{link}").st_ino
        own, its = proc.status(pid), proc.status(guest)
        for key in (*SHARED, "Umask", "Seccomp_filters", "SigIgn", "SigBlk"):
            assert its.get(key) == own.get(key), key
        # stdin, stdout, stderr, and nothing of ours.
        assert sorted(os.listdir(f"/proc/{guest}/fd")) == ["0", "1", "2"]
        # A session of its own: no signal and no key out of our terminal.
        assert os.getsid(guest) != os.getsid(process.pid)
    finally:
        process.communicate(timeout=PATIENCE)


def _text(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def test_environment_directory_and_user(minirun: Minirun, box: int) -> None:
    assert proc.inside(minirun, "box", "pwd; echo $OWN $HOME; id -u; hostname") == [
        "/tmp",
        "1 /root",
        "0",
        "inside",
    ]
    words = ["-e", "OWN=2", "-e", "NEW=a b", "-w", "/etc", "-u", "nobody", "box"]
    done = minirun(
        "exec", *words, "sh", "-c", "pwd; echo $OWN $NEW; id -u; id -g; test $HOME != /root; echo $?"
    )
    assert done.stdout.splitlines() == ["/etc", "2 a b", "65534", "65534", "0"]


def test_a_user_by_the_files_as_they_are_now(minirun: Minirun, box: int) -> None:
    script = (
        "echo late:x:4711:4712:::/bin/sh >> /etc/passwd; echo crew:x:4713:late >> /etc/group; chmod 711 /root"
    )
    assert proc.inside(minirun, "box", script) == []
    done = minirun("exec", "-u", "late", "box", "id")
    assert done.stdout.strip() == "uid=4711(late) gid=4712 groups=4712,4713(crew)"
    unknown = minirun("exec", "-u", "nobody-knows", "box", "id")
    assert (unknown.returncode, unknown.stdout) == (125, "")
    assert "nobody-knows" in unknown.stderr


def test_a_passwd_that_leads_outside_is_not_followed(minirun: Minirun, box: int, tmp_path: Path) -> None:
    secret = tmp_path / "passwd"
    secret.write_text("root:x:0:0::/:/bin/sh\nhostuser:x:0:0::/:/bin/sh\n")
    proc.inside(minirun, "box", f"rm /etc/passwd; ln -s /proc/1/root{secret} /etc/passwd")
    done = minirun("exec", "-u", "hostuser", "box", "id")
    assert (done.returncode, done.stdout) == (125, "")


def test_streams_are_exact(minirun: Minirun, box: int) -> None:
    content = os.urandom(3 << 20)
    done = shell.run_bytes(minirun, "exec", "-i", "box", "sh", "-c", "cat; echo err >&2", input=content)
    assert (done.returncode, done.stdout == content, done.stderr) == (0, True, b"err\n")
    done = shell.run_bytes(minirun, "exec", "box", "cat", input=b"not for it")
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sh", "-c", "exit 0"], 0, ""),
        (["sh", "-c", "exit 200"], 200, ""),
        (["sh", "-c", "kill -9 $$"], 137, ""),
        (["nope"], 127, "no such program in the container"),
        (["/etc"], 126, "is a directory"),
        (["/etc/passwd"], 126, "permission denied"),
    ],
)
def test_exit_codes(minirun: Minirun, box: int, words: list[str], code: int, said: str) -> None:
    done = minirun("exec", "box", *words)
    assert (done.returncode, done.stdout, bool(done.stderr)) == (code, "", bool(said))
    assert said in done.stderr


def test_a_directory_that_is_not_there(minirun: Minirun, box: int) -> None:
    done = minirun("exec", "-w", "/nope", "box", "true")
    assert done.returncode == 125
    assert done.stderr.startswith(
        "minirun: cannot enter the working directory /nope\n  why: in the container: No such"
    )
    assert proc.inside(minirun, "box", "ls -d /nope") == ["ls: /nope: No such file or directory"]


def test_detached_it_goes_on_and_writes_nowhere(minirun: Minirun, box: int) -> None:
    for flags in (["-d"], ["-d", "-i"], ["-d", "-t"], ["-dit"]):
        # More than a pipe or a terminal holds, so that it stands still if nobody takes it.
        script = "seq 30000; seq 30000 >&2; p=$(readlink /proc/$$/fd/1); echo $p > /end; exec sleep 1000"
        done = minirun("exec", *flags, "box", "sh", "-c", script, timeout=20)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        places = until("it wrote all of it", lambda: proc.inside(minirun, "box", "cat /end 2>/dev/null"))
        assert places[0].startswith("/dev/pts/" if "t" in flags[-1] else "/dev/null")
        proc.inside(minirun, "box", "rm /end")
    assert proc.inside(minirun, "box", "pidof sleep | wc -w") == ["5"]  # the container's own is one
    missing = minirun("exec", "-d", "box", "nope")
    assert missing.returncode == 127


def test_only_a_container_that_runs_takes_guests(minirun: Minirun) -> None:
    minirun("create", "--network", "none", "--name", "box", "busybox", "sleep", "1000", check=True)
    for state in ("created", "paused", "stopped"):
        if state == "paused":
            minirun("start", "box", check=True)
            minirun("pause", "box", check=True)
        if state == "stopped":
            minirun("kill", "box", check=True)
            minirun("wait", "box", check=True)
        done = minirun("exec", "box", "true", timeout=20)
        assert done.returncode == 125
        assert f"minirun: cannot run a program in container box\n  why: it is {state}" in done.stderr


def test_signals_reach_the_guest(minirun: Minirun, box: int) -> None:
    script = "trap 'echo hup' HUP; trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    process = shell.watched(minirun, "exec", "box", "sh", "-c", script, stdin=subprocess.PIPE)
    assert shell.line(process) == "ready"
    process.send_signal(signal.SIGHUP)
    assert shell.line(process) == "hup"
    process.send_signal(signal.SIGTERM)
    assert shell.line(process) == "term"
    assert shell.end(process) == 5


def test_the_end_of_the_container_is_the_guests(minirun: Minirun, box: int) -> None:
    process, _ = _guest(minirun)
    minirun("kill", "box", check=True)
    assert process.wait(PATIENCE) == 137  # with its stdin open still: at the end of that cat ends, too
    process.communicate()
