"""The plan of a start: pure, complete, explained, and in an order that matters."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from minirun.container import create, execute
from minirun.container.options import Options
from minirun.container.plan import plan
from minirun.container.specify import Lent, spec_of
from minirun.image.config import ImageConfig
from minirun.isolation.cgroups.layout import Layout
from minirun.linux import cgroup, process, trial
from minirun.linux.namespace import CloneFlag
from minirun.spec import Linux, Process, Spec
from minirun.steps import HOST, INIT, Call, Step, Walk
from minirun.values import replace

ID = "0123456789ab" + "0" * 52
V2 = Layout(v2="/cg", v2_controllers=("memory", "cpu", "pids", "io", "cpuset"))
V1 = Layout(v1={name: f"/cg/{name}" for name in ("memory", "cpu", "pids", "devices", "freezer", "cpuset")})
LENT = Lent(
    layers=("/store/layers/a",),
    rootfs="/store/c/rootfs",
    upperdir="/store/c/upper",
    workdir="/store/c/work",
    volumes="/store/volumes",
    init="/usr/lib/init",
    first_id=65536,
)
EVERYTHING = Options(
    tty=True,
    init=True,
    read_only=True,
    volume=("/usr:/usr:ro", "named:/data"),
    tmpfs=("/scratch",),
    sysctl={"net.ipv4.ip_forward": "1"},
    ulimit=("nofile=100",),
    oom_score_adj=900,
    memory=64 << 20,
    pids_limit=50,
    time_offset=10.0,
    domainname="example",
    cap_add=("NET_ADMIN",),
)


def planned(tmp_path: Path, options: Options, layout: Layout = V2) -> list[Step]:
    whole = replace(options, command=("sh",))
    if layout is V1:
        whole = replace(whole, memory=None)  # it would look for the kernel's file of v1's swap limit
    spec = spec_of(whole, ImageConfig(), ID, LENT, lambda name: 4242)
    return plan(spec, layout, str(tmp_path / "seccomp"))


def place(steps: list[Step], title: str) -> int:
    found = [number for number, step in enumerate(steps) if re.match(title, step.title)]
    assert found, f"no step {title!r} in {[step.title for step in steps]}"
    return found[0]


@pytest.mark.parametrize("layout", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize(
    "options",
    [
        Options(),
        EVERYTHING,
        Options(privileged=True, network=("host",)),
        Options(userns="private", volume=("named:/data",)),
        Options(pid="container:x", ipc="container:x", network=("container:x",), userns="container:x"),
        Options(ipc="host", uts="host", pid="host", network=("host",), cgroupns="host"),
        Options(user="1000:1000", security_opt=("no-new-privileges=false",)),
    ],
    ids=["default", "everything", "privileged", "userns", "shared", "host", "new-privileges"],
)
def test_each_step_teaches(tmp_path: Path, options: Options, layout: Layout) -> None:
    steps = planned(tmp_path, options, layout)
    for step in steps:
        assert step.calls, step
        assert 10 < len(step.why) < 330, step.why
        assert not step.why.endswith(".")
        assert step.title[0].islower() or step.title.startswith("/")
        assert re.fullmatch(r"0[3-9]|1[0-9]", step.chapter), (step.title, step.chapter)
        assert step.side in (HOST, INIT)
        for call in step.calls:
            assert re.fullmatch(r"[a-z_0-9]+\([1-8]\)", call.manual), (step.title, call.name)
            assert "\n" not in str(call)
            assert "<function" not in str(call)
            assert " at 0x" not in str(call)
    # A plan is a value: the same wish, the same list.
    assert steps == planned(tmp_path, options, layout)
    assert [str(call) for step in steps for call in step.calls] == [
        str(call) for step in planned(tmp_path, options, layout) for call in step.calls
    ]


def test_planning_does_nothing(tmp_path: Path) -> None:
    """No directory, no volume, no cgroup: nothing but the compiled filter is written."""
    before = os.listdir("/proc/self/fd"), os.getcwd(), os.umask(0o22)
    planned(tmp_path, EVERYTHING)
    assert (os.listdir("/proc/self/fd"), os.getcwd(), os.umask(0o22)) == before
    assert not os.path.exists("/store")
    assert not os.path.exists("/cg")


def test_the_order(tmp_path: Path) -> None:
    steps = planned(tmp_path, EVERYTHING)
    order = [
        "leave the command behind",
        "make the upperdir",
        "make the cgroup",
        "limit the memory",
        "make a time namespace",
        "make the container's first process",
        "let init go on",
        "show the stage in ps",
        "wait for the host side",
        "make a cgroup namespace",
        "raise the loopback interface",
        "set the hostname",
        "pick up /usr",
        "cut the mounts off",
        "mount the root file system",
        "mount /proc",
        "mount /dev$",
        "make the devices",
        "swap the root",
        "open a pseudoterminal",
        r"set net\.ipv4",
        "make paths read-only",
        "mask paths",
        "look at them again",
        "make the root read-only",
        "look the program up",
        "say that all is ready",
        "wait at the gate",
        "take the terminal",
        "let no descriptor through",
        "limit nofile",
        "lower the ceiling",
        "become group",
        "become user",
        "switch capabilities off",
        "forbid new privileges",
        "verify the privileges",
        "install the syscall filter",
        "become the program",
    ]
    places = [place(steps, title) for title in order]
    assert places == sorted(places)
    assert steps[-1].title == "become the program"


def test_without_no_new_privs_the_filter_comes_before_the_drop(tmp_path: Path) -> None:
    steps = planned(tmp_path, Options(security_opt=("no-new-privileges=false",)))
    assert place(steps, "install the syscall filter") < place(steps, "lower the ceiling")


def test_whoever_joins_a_pid_namespace_hides_first(tmp_path: Path) -> None:
    """Its processes could look into ours while it still holds the host's files (CVE-2016-9962)."""
    steps = planned(tmp_path, Options(pid="container:x"))
    assert place(steps, "hide from") < place(steps, "wait for the host side")
    assert [step.title for step in steps if "pid namespace" in step.title] == [
        "join a pid namespace",
        "return to the host's pid namespace",
    ]


def test_what_the_host_makes_it_can_take_back(tmp_path: Path) -> None:
    """What init makes goes with its namespaces; all else needs an undo."""
    making = {"mkdir", "clone3", "unshare", "open_tree"}
    for options in (EVERYTHING, Options(userns="private", pid="container:x")):
        for step in planned(tmp_path, options, V1):
            names = {call.name for call in step.calls}
            if step.side == HOST and names & making and "parent" not in step.title:
                assert step.undo, step.title


def test_privileged_is_the_same_list_with_less_in_it(tmp_path: Path) -> None:
    titles = {step.title for step in planned(tmp_path, Options())}
    mighty = {step.title for step in planned(tmp_path, Options(privileged=True))}
    assert mighty < titles
    assert {"mask paths", "make paths read-only", "install the syscall filter"} <= titles - mighty


def test_a_walk_that_lost_its_parent_group_begins_anew(tmp_path: Path) -> None:
    """The group that containers share went with the last of them, between our plan and our mkdir."""
    steps = [
        Step("leave", Call(process.setsid), why="", side=HOST),
        Step("make it", Call(cgroup.mkdir, f"{tmp_path}/shared/own"), why="", side=HOST),
    ]

    def replan() -> list[Step]:
        (tmp_path / "shared").mkdir()
        return steps

    def walk() -> bool:
        launch: Any = SimpleNamespace(replan=replan)
        return create._walk_host_side(launch, Walk(steps, HOST))

    assert trial.in_child(walk) is False
    assert (tmp_path / "shared" / "own").is_dir()


def test_a_guest_has_its_oom_score_before_it_is_the_program(tmp_path: Path) -> None:
    """The host side does not wait for the program, nor the program for it: so it sees to that itself."""
    spec = Spec(process=Process(args=("true",), oomScoreAdj=321), linux=Linux(cgroupsPath="/minirun/x"))
    steps = execute.exec_plan(spec, Layout(), str(tmp_path), CloneFlag(0))
    shown = [str(call) for step in steps if step.side == INIT for call in step.calls]
    (at,) = [number for number, call in enumerate(shown) if "oom_score_adj" in call]
    assert '"/proc/self/oom_score_adj", "321"' in shown[at]
    assert any(call.startswith("execve(") for call in shown[at:])
    assert not any("oom_score_adj" in str(call) for step in steps if step.side == HOST for call in step.calls)
