"""What the kernel says of a process after it dropped its privileges, and after execve."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from minirun.errors import StepFailed
from minirun.isolation import privileges, syscall_filter
from minirun.linux import capability, credentials, procfs
from minirun.linux.capability import DEFAULT
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.process import fork
from minirun.linux.trial import TrialFailed, in_child
from minirun.spec import Capabilities, Mount, Process, Seccomp, Spec, User
from minirun.spec import Linux as LinuxSpec
from minirun.steps import INIT, Call, Step, Walk
from minirun.values import replace
from tests.needs import needs

pytestmark = pytest.mark.bed

DOCKERS = f"{capability.mask_of(DEFAULT):016x}"
NONE = "0" * 16
FIELDS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")


def spec(
    user: User | None = None, caps: Capabilities | None = None, no_new_privs: bool = True, proc: bool = True
) -> Spec:
    user = user or User()
    sets = privileges.sets(DEFAULT, user.uid) if caps is None else caps
    process = Process(args=("true",), user=user, capabilities=sets, noNewPrivileges=no_new_privs)
    return Spec(process=process, mounts=(Mount(destination="/proc", type="proc"),) if proc else ())


def walk(steps: Sequence[Step]) -> None:
    Walk(steps, INIT).run()


def status_after(asked: Spec) -> dict[str, str]:
    """/proc/self/status of a child that walked the drop."""

    def child() -> dict[str, str]:
        walk(list(privileges.drop(asked)))
        return procfs.status()

    return chosen(in_child(child))


def status_after_exec(asked: Spec, program: str = "/bin/cat") -> dict[str, str]:
    """The same of the program that the child became."""
    reading, writing = os.pipe()

    def child() -> None:
        walk(list(privileges.drop(asked)))
        os.dup2(writing, 1)
        os.execv(program, [program, "/proc/self/status"])

    pid = fork(child)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    assert os.waitpid(pid, 0)[1] == 0
    return chosen(dict(line.split(":", 1) for line in text.splitlines()))


def chosen(status: dict[str, str]) -> dict[str, str]:
    return {name: " ".join(status[name].split()) for name in FIELDS}


@needs("root")
def test_root_keeps_dockers_fourteen() -> None:
    expected = {
        "Uid": "0 0 0 0",
        "Gid": "0 0 0 0",
        "Groups": "",
        "CapInh": NONE,
        "CapPrm": DOCKERS,
        "CapEff": DOCKERS,
        "CapBnd": DOCKERS,
        "CapAmb": NONE,
        "NoNewPrivs": "1",
    }
    assert status_after(spec()) == expected
    assert status_after_exec(spec()) == expected


@needs("root")
def test_another_user_keeps_the_ceiling_only() -> None:
    asked = spec(User(uid=1234, gid=2345, additionalGids=(20, 4)))
    expected = {
        "Uid": "1234 1234 1234 1234",
        "Gid": "2345 2345 2345 2345",
        "Groups": "4 20",
        "CapInh": NONE,
        "CapPrm": NONE,
        "CapEff": NONE,
        "CapBnd": DOCKERS,
        "CapAmb": NONE,
        "NoNewPrivs": "1",
    }
    assert status_after(asked) == expected
    assert status_after_exec(asked) == expected


@needs("root")
def test_ambient_capabilities_survive_execve_for_another_user() -> None:
    names = ("CAP_KILL", "CAP_NET_BIND_SERVICE")
    asked = spec(User(uid=1234, gid=1234), Capabilities(**dict.fromkeys(sets_of(), names)))
    mask = f"{1 << 5 | 1 << 10:016x}"
    for status in (status_after(asked), status_after_exec(asked)):
        assert [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [mask] * 5
        assert status["Uid"] == "1234 1234 1234 1234"


@needs("root")
def test_kept_but_not_ambient_is_lost_at_execve() -> None:
    names = ("CAP_KILL",)
    asked = spec(User(uid=1, gid=1), Capabilities(bounding=names, permitted=names, effective=names))
    assert status_after(asked)["CapEff"] == f"{1 << 5:016x}"
    assert status_after_exec(asked)["CapEff"] == NONE


@needs("root")
def test_no_capabilities_at_all() -> None:
    status = status_after_exec(spec(caps=Capabilities()))
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {NONE}


@needs("root")
def test_the_last_step_without_proc_is_satisfied_too() -> None:
    assert status_after(spec(User(uid=7, gid=8), proc=False))["Uid"] == "7 7 7 7"


@needs("root")
def test_a_set_uid_program_gives_root_only_without_no_new_privs(tmp_path: Path) -> None:
    cat = tmp_path / "cat"
    cat.write_bytes(Path("/bin/cat").read_bytes())
    cat.chmod(0o4755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    user = User(uid=1234, gid=1234)
    assert status_after_exec(spec(user), str(cat))["Uid"] == "1234 1234 1234 1234"
    risen = status_after_exec(spec(user, no_new_privs=False), str(cat))
    assert risen["Uid"] == "1234 0 0 0"
    assert risen["CapEff"] == DOCKERS  # the ceiling holds even then


@needs("root")
def test_a_dropped_power_is_gone() -> None:
    def child() -> int:
        walk(list(privileges.drop(spec())))
        try:
            unshare(CloneFlag.NEWUTS)
        except OSError as error:
            return error.errno or 0
        return 0

    assert in_child(child) == errno.EPERM


@needs("root", "seccomp")
@pytest.mark.parametrize("no_new_privs", [True, False])
@pytest.mark.parametrize("uid", [0, 1234])
def test_the_filter_stands_on_the_right_side(uid: int, no_new_privs: bool, tmp_path: Path) -> None:
    """Our own profile lets the drop through; without no_new_privs it must come first."""
    asked = spec(User(uid=uid, gid=uid), no_new_privs=no_new_privs)
    profile = Seccomp(defaultAction="SCMP_ACT_ERRNO", profile="default")
    asked = replace(asked, linux=LinuxSpec(seccomp=profile))
    drop = list(privileges.drop(asked))
    install = list(syscall_filter.steps(asked, str(tmp_path)))

    def child(steps: Sequence[Step]) -> str:
        walk(steps)
        return procfs.status()["Seccomp"]

    right, wrong = (drop + install, install + drop) if no_new_privs else (install + drop, drop + install)
    assert in_child(lambda: child(right)) == "2"
    if not no_new_privs:
        with pytest.raises(TrialFailed, match="cannot install the syscall filter"):
            in_child(lambda: child(wrong))


@needs("root")
def test_the_umask_is_the_specs() -> None:
    def child() -> int:
        walk(list(privileges.drop(spec(User(umask=0o027)))))
        return os.umask(0)

    assert in_child(child) == 0o027


@needs("root")
@pytest.mark.parametrize(
    ("sabotage", "named"),
    [
        (Call(credentials.setgroups, (4,)), "Groups of /proc/self/status should be empty, the kernel says 4"),
        (Call(capability.drop_bounding, 0), "CapBnd"),
        (Call(capability.capset, 0, 0, 0), "CapPrm"),
        (Call(credentials.setresuid, 5), "Uid"),
    ],
)
def test_the_verification_notices(sabotage: Call, named: str) -> None:
    """Between the drop and the look at it, one thing goes wrong."""

    def child() -> None:
        *steps, verify = privileges.drop(spec())
        walk([*steps, Step("sabotage", sabotage, why="a test"), verify])

    with pytest.raises(TrialFailed, match=f"(?s)StepFailed: .*not what was promised.*{re.escape(named)}"):
        in_child(child)


@needs("root")
def test_a_failing_step_is_named() -> None:
    def child() -> None:
        capability.capset(0, 0, 0)
        walk(list(privileges.drop(spec())))

    with pytest.raises(TrialFailed, match="cannot lower the ceiling of capabilities") as caught:
        in_child(child)
    assert "EPERM" in str(caught.value)


@needs("root", "userns")
def test_in_a_user_namespace_that_denies_setgroups() -> None:
    """As an unprivileged user makes one: a single id, and the groups pinned."""

    def child() -> dict[str, str]:
        os.setgroups([4])
        unshare(CloneFlag.NEWUSER)
        procfs.write("/proc/self/setgroups", "deny")
        procfs.write("/proc/self/uid_map", "0 0 1")
        procfs.write("/proc/self/gid_map", "0 0 1")
        walk(list(privileges.drop(spec())))
        return procfs.status()

    status = chosen(in_child(child))
    assert status["CapEff"] == DOCKERS
    assert status["Groups"] == "65534"  # pinned: nobody could leave it


@needs("root", "userns")
def test_an_id_that_is_not_mapped_is_explained() -> None:
    def child() -> str:
        unshare(CloneFlag.NEWUSER)
        try:
            walk([Step("become user 5", Call(credentials.setresuid, 5), why="a test")])
        except StepFailed as error:
            return error.remedy
        return ""

    assert in_child(child) == "map the id 5 into the user namespace"


@needs("root", "strace")
@pytest.mark.slow
def test_every_call_of_the_plan_is_one_that_strace_sees(tmp_path: Path) -> None:
    names = ("CAP_KILL",)
    asked = spec(User(uid=1, gid=2), Capabilities(**dict.fromkeys(sets_of(), names)))
    watched = "prctl,capset,capget,setgroups,setresuid,setresgid,umask"
    program = (
        "from tests.kernel import test_privileges as t; import os; os.umask(0o123)\n"
        "t.walk(list(t.privileges.drop(t.spec(t.User(uid=1, gid=2),"
        f" t.Capabilities(**dict.fromkeys(t.sets_of(), {names!r}))))))"
    )
    log = tmp_path / "strace"
    command = ["strace", "-e", f"trace={watched}", "-o", log, sys.executable, "-B", "-c", program]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    seen = [line.split(" = ")[0].strip() for line in log.read_text().splitlines() if " = " in line]
    seen = seen[seen.index("umask(0123)") + 1 :]
    planned = [str(call) for step in privileges.drop(asked) for call in step.calls][:-1]
    assert [same_form(call) for call in seen] == [same_form(call) for call in planned]


def same_form(call: str) -> str:
    """strace prints masks as shifts, and numbers for what it has no name for."""
    call = re.sub(r"1<<", "", call)
    call = re.sub(r"\{version=[^}]*\}", "{pid=0}", call)
    return re.sub(r", 0, 0\)$", ")", call)


def sets_of() -> tuple[str, ...]:
    return Capabilities.__fields__
