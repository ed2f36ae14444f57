"""Capabilities as words and masks, and the plan that drops privileges. No root."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minirun.errors import InvalidInput, Unsupported, UsageError
from minirun.isolation import privileges
from minirun.linux import capability, credentials
from minirun.linux.capability import ALL, DEFAULT, Capability, parse, resolve
from minirun.spec import Capabilities, Mount, Namespace, Process, Spec, User
from minirun.spec import Linux as LinuxSpec
from minirun.steps import Step
from minirun.values import replace

PROC = (Mount(destination="/proc", type="proc"),)


def spec(
    uid: int = 0,
    caps: Capabilities | None = None,
    no_new_privs: bool = True,
    user: User | None = None,
    mounts: tuple[Mount, ...] = PROC,
) -> Spec:
    sets = privileges.sets(DEFAULT, uid) if caps is None else caps
    user = user or User(uid=uid, gid=uid)
    process = Process(args=("true",), user=user, capabilities=sets, noNewPrivileges=no_new_privs)
    return Spec(process=process, mounts=mounts)


def calls(steps: list[Step]) -> list[str]:
    return [str(call) for step in steps for call in step.calls]


def test_numbers_are_the_headers() -> None:
    header = Path("/usr/include/linux/capability.h")
    if not header.exists():
        pytest.skip("this machine lacks: linux/capability.h (linux-libc-dev)")
    found = dict(re.findall(r"#define CAP_([A-Z_]+)\s+(\d+)", header.read_text()))
    assert {name: int(number) for name, number in found.items()} == {one.name: int(one) for one in Capability}


def test_the_running_kernel_has_them_all() -> None:
    assert capability.last_capability() >= max(Capability) == 40


def test_default_is_dockers_mask() -> None:
    assert capability.mask_of(DEFAULT) == 0xA80425FB
    assert len(DEFAULT) == 14
    assert capability.names_of(0xA80425FB) == DEFAULT


@pytest.mark.parametrize("word", ["KILL", "CAP_KILL", "kill", "cap_kill", "Cap_Kill"])
def test_a_name_is_accepted_in_each_form(word: str) -> None:
    assert parse([word]) == ("CAP_KILL",)


def test_all_is_all_in_order() -> None:
    assert parse(["all"]) == ALL
    assert parse(["SYS_ADMIN", "chown", "CAP_CHOWN"]) == ("CAP_CHOWN", "CAP_SYS_ADMIN")


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match="'NET_ADMN' is not a capability") as caught:
        parse(["NET_ADMN"])
    assert "CAP_NET_ADMIN" in caught.value.remedy


@pytest.mark.parametrize(
    ("add", "drop", "result"),
    [
        ([], [], DEFAULT),
        (["NET_ADMIN"], ["ALL"], ("CAP_NET_ADMIN",)),
        ([], ["all"], ()),
        (["ALL"], ["SYS_ADMIN"], tuple(name for name in ALL if name != "CAP_SYS_ADMIN")),
        ([], ["kill"], tuple(name for name in DEFAULT if name != "CAP_KILL")),
        (["CAP_KILL"], [], DEFAULT),
    ],
)
def test_add_and_drop_are_dockers(add: list[str], drop: list[str], result: tuple[str, ...]) -> None:
    assert resolve(DEFAULT, add, drop) == result


@pytest.mark.parametrize(("add", "drop"), [(["KILL"], ["cap_kill"]), (["ALL"], ["all"])])
def test_added_and_dropped_at_once_is_refused(add: list[str], drop: list[str]) -> None:
    with pytest.raises(UsageError, match="cannot be added and dropped at once"):
        resolve(DEFAULT, add, drop)


def test_all_means_what_the_host_has_and_a_name_means_itself() -> None:
    host = tuple(name for name in ALL if name not in ("CAP_SYS_RESOURCE", "CAP_MKNOD"))
    assert resolve(DEFAULT, ["ALL"], [], host) == host
    assert "CAP_MKNOD" not in resolve(DEFAULT, [], [], host)
    assert "CAP_SYS_RESOURCE" in resolve(DEFAULT, ["SYS_RESOURCE"], [], host)


def test_the_order_is_the_kernels() -> None:
    made = calls(list(privileges.drop(spec(uid=7, caps=with_ambient("CAP_KILL")))))
    shape = [call for call in made if "PR_CAPBSET_DROP" not in call]
    assert [call.partition("(")[0] for call in shape] == [
        "prctl", "setgroups", "setresgid", "setresuid", "capset", "prctl", "prctl", "umask", "prctl", "read",
    ]  # fmt: skip
    assert shape[0] == "prctl(PR_SET_KEEPCAPS, 1)"
    assert shape[1:4] == ["setgroups(0, [])", "setresgid(7, 7, 7)", "setresuid(7, 7, 7)"]
    assert shape[4].startswith(
        "capset({pid=0}, {effective=CAP_KILL, permitted=CAP_KILL, inheritable=CAP_KILL}"
    )
    assert shape[5] == "prctl(PR_SET_KEEPCAPS, 0)"
    assert shape[6] == "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0)"
    assert shape[8] == "prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)"
    assert made[0].startswith("prctl(PR_CAPBSET_DROP")


def test_each_capability_not_kept_is_dropped_by_a_call_of_its_own() -> None:
    made = calls(list(privileges.drop(spec())))
    dropped = [call for call in made if "PR_CAPBSET_DROP" in call]
    assert len(dropped) == capability.last_capability() + 1 - len(DEFAULT)
    assert "prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)" in dropped
    assert "prctl(PR_CAPBSET_DROP, CAP_KILL)" not in dropped


def test_a_capability_newer_than_minirun_is_dropped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability, "last_capability", lambda: 42)
    made = calls(list(privileges.drop(spec(caps=privileges.sets(ALL, 0)))))
    assert [call for call in made if "CAPBSET" in call] == [
        "prctl(PR_CAPBSET_DROP, 41)",
        "prctl(PR_CAPBSET_DROP, 42)",
    ]


def test_docker_gives_another_user_the_ceiling_only() -> None:
    assert privileges.sets(DEFAULT, 1000) == Capabilities(bounding=DEFAULT)
    assert privileges.sets(DEFAULT, 0) == Capabilities(bounding=DEFAULT, effective=DEFAULT, permitted=DEFAULT)
    made = calls(list(privileges.drop(spec(uid=1000))))
    assert "capset({pid=0}, {effective=0, permitted=0, inheritable=0})" in made
    assert not any("KEEPCAPS" in call for call in made)


def test_without_no_new_privs_it_is_neither_set_nor_promised() -> None:
    made = calls(list(privileges.drop(spec(no_new_privs=False))))
    assert not any("NO_NEW_PRIVS" in call for call in made)
    assert "NoNewPrivs" not in made[-1]


def test_umask_is_always_set() -> None:
    assert "umask(022)" in calls(list(privileges.drop(spec())))
    assert "umask(077)" in calls(list(privileges.drop(spec(user=User(umask=0o77)))))


def test_without_proc_the_getters_verify() -> None:
    assert calls(list(privileges.drop(spec(mounts=()))))[-1].startswith(
        "capget(), getresuid(), getresgid() =="
    )
    assert calls(list(privileges.drop(spec())))[-1].startswith('read("/proc/self/status") == Uid 0 0 0 0')


@pytest.mark.parametrize(
    "sets",
    [
        Capabilities(bounding=("CAP_KILL",), effective=("CAP_KILL",)),
        Capabilities(permitted=("CAP_KILL",)),
        Capabilities(inheritable=("CAP_KILL",)),
        Capabilities(bounding=("CAP_KILL",), permitted=("CAP_KILL",), ambient=("CAP_KILL",)),
        Capabilities(bounding=("CAP_FLY",)),
    ],
)
def test_sets_that_contradict_each_other_are_refused(sets: Capabilities) -> None:
    with pytest.raises(InvalidInput, match="contradict each other: CAP_"):
        list(privileges.drop(spec(caps=sets)))


def test_a_capability_that_the_host_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability, "current_bounding", lambda: capability.mask_of(DEFAULT))
    privileges.check(spec())
    greedy = spec(caps=privileges.sets((*DEFAULT, "CAP_SYS_ADMIN"), 0))
    with pytest.raises(Unsupported, match="cannot give CAP_SYS_ADMIN"):
        privileges.check(greedy)
    # A user namespace begins with all of them.
    privileges.check(replace(greedy, linux=LinuxSpec(namespaces=(Namespace(type="user"),))))
    assert capability.available() == DEFAULT
    assert capability.available(user_namespace=True) == ALL


def test_calls_print_as_strace_does() -> None:
    assert str(privileges.undumpable().calls[0]) == "prctl(PR_SET_DUMPABLE, 0)"
    assert credentials.setgroups.show((4, 27)) == "setgroups(2, [4, 27])"
    everything = capability.capset.show(2**41 - 1 - 2, 0, 1 << 5)
    assert (
        everything == "capset({pid=0}, {effective=ALL-CAP_DAC_OVERRIDE, permitted=0, inheritable=CAP_KILL})"
    )


def with_ambient(*names: str) -> Capabilities:
    return Capabilities(bounding=names, effective=names, permitted=names, inheritable=names, ambient=names)
