"""`--runtime runc`: another program makes the container, and it is the same container.

runc is asked for what minirun does by itself else, so the two are compared: the same
flags, looked at from inside. gVisor, which has a kernel of its own, is in test_gvisor.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import proc
from tests.needs import needs
from tests.patience import until

pytestmark = needs("root", "overlay", "runc", "memory", "pids")

RUNC = ("--runtime", "runc")
NONE = ("--network", "none")

FLAGS = (
    *("-m", "64m", "--pids-limit", "50", "--cpus", "0.5", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN"),
    *("-u", "1000:1001", "--group-add", "7", "-w", "/made/here", "-e", "A=b", "--umask", "027"),
    *("--read-only", "--tmpfs", "/t:size=1m,mode=1777", "--shm-size", "2m", "-h", "there"),
    *("--ulimit", "nofile=100:200", "--sysctl", "kernel.msgmax=4096", "--device", "/dev/null:/dev/nil:r"),
    *("--domainname", "example.org", "--init"),
)

LOOK = """
id; pwd; umask; hostname; ulimit -Sn; ulimit -Hn; echo $A $HOME $HOSTNAME $PATH
cat /proc/sys/kernel/msgmax /proc/sys/kernel/domainname; tr '\\0' ' ' </proc/1/cmdline; echo
grep -E '^(Cap|NoNewPrivs|Seccomp|Umask|Groups|Sig(Blk|Ign))' /proc/self/status
for f in kcore keys sysrq-trigger; do stat -c '%n %t' /proc/$f; (echo x >/proc/$f) 2>&1; done
awk '{print $5, $9, $6}' /proc/self/mountinfo | grep -E '^/(t|dev/shm|proc|sys|dev) ' | cut -d, -f1-4
mkdir /x; ls -l /dev/nil | cut -c1-10; unshare -U true; ls /proc/self/fd | wc -l
"""


def look(minirun: Minirun, *flags: str) -> list[str]:
    """What a program sees that is started with FLAGS and ``flags``."""
    done = minirun("run", "--rm", *NONE, *FLAGS, *flags, "busybox", "sh", "-c", f"({LOOK}) 2>&1")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_same_container(minirun: Minirun) -> None:
    assert look(minirun, *RUNC) == look(minirun)


def test_what_the_caller_ignores_is_not_ignored_inside(minirun: Minirun) -> None:
    """Whatever started us: an ignored signal stays ignored through execve(2), also the runtime's."""
    done = minirun(
        *("run", "--rm", *NONE, *RUNC, "busybox", "grep", "SigIgn", "/proc/self/status"),
        preexec_fn=lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    )
    assert done.stdout.split() == ["SigIgn:", "0" * 16], done.stderr


def test_a_life(minirun: Minirun) -> None:
    """create, start, exec, pause, stop, start again: each verb is the runtime's or reaches what it made."""
    program = "trap 'echo asked; exit 3' TERM; echo begun; while :; do sleep 0.1; done"
    minirun("create", *RUNC, *NONE, "-m", "64m", "--name", "life", "busybox", "sh", "-c", program, check=True)
    assert minirun("ps", "-a", "--format", "{{.STATUS}}").stdout.strip() == "Created"
    assert minirun("logs", "life").stdout == ""  # created, not started
    for round in (1, 2):
        minirun("start", "life", check=True)
        until("it has begun", lambda lines=round: minirun("logs", "life").stdout.count("begun") == lines)
        pid = proc.pid_of(minirun, "life")
        limit = Path(proc.groups(pid)["memory"], "memory.limit_in_bytes")
        assert not limit.exists() or limit.read_text() == f"{64 << 20}\n"  # cgroup v1's name for it
        assert minirun("exec", "life", "sh", "-c", "tr '\\0' ' ' </proc/1/cmdline; exit 4").returncode == 4
        minirun("pause", "life", check=True)
        assert "paused" in minirun("ps", "--format", "{{.STATUS}}").stdout
        minirun("unpause", "life", check=True)
        minirun("stop", "life", check=True)
        assert minirun("inspect", "-f", "{{.state.exit.code}}", "life").stdout.strip() == "3"
        assert minirun("logs", "life").stdout == "begun\nasked\n" * round
    minirun("rm", "life", check=True)


def test_a_terminal(minirun: Minirun) -> None:
    done = minirun("run", "--rm", "-t", *RUNC, *NONE, "busybox", "sh", "-c", "test -t 0 && tty; exit 6")
    assert (done.returncode, done.stdout.replace("\r", "")) == (6, "/dev/pts/0\n"), done.stderr


def test_networks_volumes_and_what_is_shared(minirun: Minirun) -> None:
    """The cable is plugged from outside; a second container joins what the first one has."""
    minirun("run", "-d", *RUNC, "--name", "one", "-v", "filled:/bin", "--ipc", "shareable", "busybox",
            "sh", "-c", "echo shared >/dev/shm/a; sleep 1000", check=True)  # fmt: skip
    own = proc.inside(minirun, "one", "ip -4 -o addr show eth0; ip route | head -1; ls /bin/sh")
    assert "inet 10." in own[0] and own[1].startswith("default via") and own[2] == "/bin/sh"
    joined = ("--network", "container:one", "--ipc", "container:one", "--pid", "container:one")
    script = (
        "until cat /dev/shm/a; do :; done 2>/dev/null; ip -4 -o addr show eth0; ps | grep -c '[s]leep 1000'"
    )
    other = minirun("run", "--rm", *RUNC, *joined, "busybox", "sh", "-c", script, check=True)
    assert other.stdout.splitlines() == ["shared", own[0], "1"]
    minirun("rm", "-f", "one", check=True)
    minirun("volume", "rm", "filled", check=True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("runc", "nosuch"), 127, "cannot run 'nosuch': no such program in the container"),
        (("runc", "/etc/passwd"), 126, "permission denied"),
        (("nosuch", "true"), 125, "there is no OCI runtime nosuch on this host"),
        (("/etc/passwd", "true"), 125, "/etc/passwd is no executable file"),
        (("false", "true"), 125, "false cannot create the container"),
    ],
)
def test_what_the_runtime_says_is_passed_on(
    minirun: Minirun, words: tuple[str, str], code: int, said: str
) -> None:
    name, program = words
    done = minirun("run", "--runtime", name, *NONE, "busybox", program)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and len(done.stderr.splitlines()) == 3
    assert minirun("ps", "-aq").stdout == ""


def runtime(tmp_path: Path, script: str) -> str:
    """A runtime that is runc but for what ``script`` does first; $verb is what is asked for."""
    path = tmp_path / "odd"
    verb = 'for word; do case "$word" in create|start|delete) verb=$word;; esac; done\n'
    path.write_text(f'#!/bin/sh\n{verb}{script}\nexec runc "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_a_start_that_fails_reaches_the_user(minirun: Minirun, tmp_path: Path) -> None:
    odd = runtime(tmp_path, '[ "$verb" != start ] || exit 9')
    done = minirun("run", "--runtime", odd, *NONE, "busybox", "true")
    assert (done.returncode, done.stderr.splitlines()[0]) == (125, "minirun: odd cannot start the container")
    assert minirun("ps", "-aq").stdout == ""
    minirun("create", "--runtime", odd, *NONE, "--name", "odd", "busybox", "true", check=True)
    assert "odd cannot start the container" in minirun("start", "odd").stderr
    assert minirun("ps", "-a", "--format", "{{.STATUS}}").stdout.startswith("Exited (125)")


def test_a_creator_that_is_killed_while_the_runtime_is_at_work(minirun: Minirun, tmp_path: Path) -> None:
    """The runtime dies with it, and what it has made is swept."""
    told = tmp_path / "told"
    os.mkfifo(told)
    odd = runtime(tmp_path, f'[ "$verb" != create ] || {{ runc "$@"; echo $PPID >{told}; exec sleep 1000; }}')
    with minirun.popen("run", "--runtime", odd, *NONE, "busybox", "true", stderr=subprocess.PIPE) as command:
        os.kill(int(told.read_text()), signal.SIGKILL)  # the host side
        assert command.wait() == 125
        assert b"without a word" in command.stderr.read()
    minirun("gc", check=True)
    assert minirun("ps", "-aq").stdout == ""


def test_a_monitor_that_is_killed(minirun: Minirun) -> None:
    minirun("run", "-d", *RUNC, *NONE, "--name", "left", "busybox", "sleep", "1000", check=True)
    os.kill(int(minirun("inspect", "-f", "{{.state.monitor_pid}}", "left").stdout), signal.SIGKILL)
    assert "ended" in minirun("gc", check=True).stdout
    assert minirun("ps", "-a", "--format", "{{.STATUS}}").stdout.startswith("Exited (255)")
    minirun("rm", "left", check=True)


@needs("crun")
def test_crun_on_this_host(minirun: Minirun) -> None:
    """Where crun refuses the host's cgroups, its word is passed on."""
    done = minirun("run", "--rm", "--runtime", "crun", *NONE, "busybox", "echo", "well")
    if done.returncode:
        assert "crun cannot create the container" in done.stderr and "cgroup" in done.stderr
        assert "hybrid" in done.stderr  # any other reason is a bug
    else:
        assert done.stdout == "well\n"


def test_it_is_explained(minirun: Minirun) -> None:
    """The plan is the runtime's: what it does is not told as ours. Nothing of it is made."""
    told = minirun("explain", *RUNC, *NONE, "busybox", "true", check=True).stdout
    assert "runc create" in told and "--bundle" in told and "runc start" in told
    assert "pivot_root" not in told and "capset" not in told
    assert minirun("explain", "--runtime", "minirun", *NONE, "busybox", "true").stdout.count("pivot_root")
