"""Resources -> steps, without a kernel: v2 in a scratch directory, v1 beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minirun.errors import InvalidInput, Unsupported
from minirun.isolation import cgroups
from minirun.isolation.cgroups import v2 as v2_words
from minirun.isolation.cgroups.layout import Layout
from minirun.isolation.cgroups.tree import path_of
from minirun.isolation.cgroups.v2 import cpu_weight, io_max, io_weight, swap_only
from minirun.linux import cgroup
from minirun.spec import (
    BlockIO,
    Cpu,
    DeviceRule,
    Linux,
    Memory,
    Pids,
    Process,
    Resources,
    Spec,
    ThrottleDevice,
)
from minirun.steps import Step

ALL = DeviceRule(allow=True)  # no device filter in these plans
MIB = 1 << 20


def a_spec(path: str = "/minirun/c1", leaf: str = "", **resources: Any) -> Spec:
    given = Resources(**{"devices": (ALL,), **resources})
    return Spec(
        process=Process(args=("true",)),
        annotations={"minirun.leaf": leaf} if leaf else {},
        linux=Linux(cgroupsPath=path, resources=given),
    )


@pytest.fixture
def v2(tmp_path: Path) -> Layout:
    """A pure v2 host whose root passes on what systemd lets it: cpu, memory, pids."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids")
    controllers = ("cpuset", "cpu", "io", "memory", "pids")
    return Layout(v2=str(tmp_path), v2_controllers=controllers)


@pytest.fixture
def hybrid(tmp_path: Path) -> Layout:
    """v1 trees with a filled cpuset and swap accounting, and a v2 tree without controllers."""
    v1 = {each: str(tmp_path / each) for each in ("memory", "cpu", "pids", "cpuset", "devices", "freezer")}
    for place in (*v1.values(), str(tmp_path / "unified")):
        Path(place).mkdir()
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-3")
    (tmp_path / "cpuset/cpuset.mems").write_text("0")
    (tmp_path / "memory/memory.memsw.limit_in_bytes").write_text("9223372036854771712")
    return Layout(v2=str(tmp_path / "unified"), v1=v1)


def shown(steps: list[Step], layout: Layout) -> list[str]:
    """The calls as text, without where the scratch directory is."""
    base = layout.v2.removesuffix("/unified")
    return [str(call).replace(base, "") for step in steps for call in step.calls]


def plan(spec: Spec, layout: Layout) -> list[str]:
    return shown(list(cgroups.host_steps(spec, layout)), layout)


def test_a_plan_on_pure_v2(v2: Layout) -> None:
    spec = a_spec(
        memory=Memory(limit=16 * MIB, reservation=8 * MIB, swap=24 * MIB),
        cpu=Cpu(quota=50000, period=100000, shares=1024, cpus="0"),
        pids=Pids(limit=32),
        unified={"memory.high": "12M"},
    )
    assert plan(spec, v2) == [
        'write("/cgroup.subtree_control", "+cpuset")',
        'mkdir("/minirun")',
        'write("/minirun/cgroup.subtree_control", "+memory +pids +cpu +cpuset")',
        'mkdir("/minirun/c1")',
        'write("/minirun/c1/memory.low", "8388608")',
        'write("/minirun/c1/memory.max", "16777216")',
        'write("/minirun/c1/memory.swap.max", "8388608")',
        'write("/minirun/c1/cpu.weight", "100")',
        'write("/minirun/c1/cpu.max", "50000 100000")',
        'write("/minirun/c1/cpuset.cpus", "0")',
        'write("/minirun/c1/pids.max", "32")',
        'write("/minirun/memory.low", <sum of the groups in it>)',
        'write("/minirun/c1/memory.high", "12M")',
    ]
    assert list(cgroups.init_steps(spec, v2)) == [], "the child is born in its v2 group"
    assert cgroups.clone_into(spec, v2) == f"{v2.v2}/minirun/c1"
    assert cgroups.oom_file(spec, v2) == f"{v2.v2}/minirun/c1/memory.events"


def test_a_second_container_on_v2_only_makes_its_own(v2: Layout) -> None:
    (Path(v2.v2) / "minirun").mkdir()
    (Path(v2.v2) / "minirun/cgroup.subtree_control").write_text("cpu memory pids")
    assert plan(a_spec(), v2) == ['mkdir("/minirun/c1")']


def test_a_plan_on_a_hybrid_host(hybrid: Layout) -> None:
    spec = a_spec(
        memory=Memory(limit=16 * MIB, swap=16 * MIB),
        cpu=Cpu(quota=50000, period=100000, shares=512, cpus="1"),
        pids=Pids(limit=-1),
    )
    assert plan(spec, hybrid) == [
        'mkdir("/unified/minirun")',
        'mkdir("/unified/minirun/c1")',
        'mkdir("/memory/minirun")',
        'mkdir("/memory/minirun/c1")',
        'mkdir("/pids/minirun")',
        'mkdir("/pids/minirun/c1")',
        'mkdir("/cpu/minirun")',
        'mkdir("/cpu/minirun/c1")',
        'mkdir("/cpuset/minirun")',
        'write("/cpuset/minirun/cpuset.cpus", "0-3")',
        'write("/cpuset/minirun/cpuset.mems", "0")',
        'mkdir("/cpuset/minirun/c1")',
        'mkdir("/devices/minirun")',
        'mkdir("/devices/minirun/c1")',
        'write("/memory/minirun/c1/memory.limit_in_bytes", "16777216")',
        'write("/memory/minirun/c1/memory.memsw.limit_in_bytes", "16777216")',
        'write("/cpu/minirun/c1/cpu.shares", "512")',
        'write("/cpu/minirun/c1/cpu.cfs_period_us", "100000")',
        'write("/cpu/minirun/c1/cpu.cfs_quota_us", "50000")',
        'write("/cpuset/minirun/c1/cpuset.cpus", "1")',
        'write("/cpuset/minirun/c1/cpuset.mems", "0")',
        'write("/pids/minirun/c1/pids.max", "max")',
    ]
    joins = shown(list(cgroups.init_steps(spec, hybrid)), hybrid)
    places = ("memory", "pids", "cpu", "cpuset", "devices")
    assert joins == [f'write("/{each}/minirun/c1/tasks", "0")' for each in places]
    assert cgroups.directories(spec, hybrid)[0] == f"{hybrid.v2}/minirun/c1"


def test_v1_devices_are_denied_all_and_then_allowed_some(hybrid: Layout) -> None:
    spec = a_spec(devices=(DeviceRule(allow=False), DeviceRule(allow=True, type="c", major=10, minor=200)))
    writes = [line for line in plan(spec, hybrid) if "devices." in line]
    assert writes[0] == 'write("/devices/minirun/c1/devices.deny", "a")'
    assert 'write("/devices/minirun/c1/devices.allow", "c 10:200 rwm")' in writes
    assert 'write("/devices/minirun/c1/devices.allow", "c 1:3 rwm")' in writes, "the baseline: /dev/null"
    assert 'write("/devices/minirun/c1/devices.allow", "b *:* m")' in writes


def test_every_directory_has_its_undo(v2: Layout, hybrid: Layout) -> None:
    for layout in (v2, hybrid):
        steps = list(cgroups.host_steps(a_spec(), layout))
        undone = {call.args[0] for step in steps for call in step.undo}
        assert undone == set(cgroups.directories(a_spec(), layout))
        assert all(step.why and step.chapter == "05" for step in steps)


def test_a_leaf_holds_the_processes(v2: Layout) -> None:
    spec = a_spec(leaf="leaf")
    assert plan(spec, v2)[-2:] == [
        'mkdir("/minirun/c1/leaf")',
        'write("/minirun/c1/cgroup.subtree_control", "+memory +pids +cpu")',
    ]
    assert cgroups.clone_into(spec, v2) == f"{v2.v2}/minirun/c1/leaf"
    assert cgroups.directories(spec, v2) == (f"{v2.v2}/minirun/c1/leaf", f"{v2.v2}/minirun/c1")


def test_a_group_that_holds_processes_cannot_pass_controllers_on(v2: Layout) -> None:
    Path(v2.v2, "cgroup.type").write_text("domain")
    Path(v2.v2, "cgroup.procs").write_text("17\n")
    Path(v2.v2, "cgroup.subtree_control").write_text("")
    with pytest.raises(Unsupported, match="memory controller cannot be passed on"):
        plan(a_spec(memory=Memory(limit=MIB)), v2)
    assert not any("subtree_control" in call and '"/cgroup' in call for call in plan(a_spec(), v2))


def test_what_one_group_does_not_pass_on_those_below_it_cannot(v2: Layout) -> None:
    above = Path(v2.v2, "login")
    above.mkdir()
    for file, text in {"type": "domain", "procs": "17", "subtree_control": "pids"}.items():
        (above / f"cgroup.{file}").write_text(text)
    assert plan(a_spec("/login/deeper/c1", leaf="leaf"), v2) == [
        'mkdir("/login/deeper")',
        'write("/login/deeper/cgroup.subtree_control", "+pids")',
        'mkdir("/login/deeper/c1")',
        'mkdir("/login/deeper/c1/leaf")',
        'write("/login/deeper/c1/cgroup.subtree_control", "+pids")',
    ]


@pytest.mark.parametrize("kind", ["threaded", "domain threaded", "domain invalid"])
def test_below_groups_of_threads_there_are_no_containers(v2: Layout, kind: str) -> None:
    above = Path(v2.v2, "threads")
    above.mkdir()
    (above / "cgroup.type").write_text(kind)
    with pytest.raises(Unsupported, match="/threads") as refusal:
        plan(a_spec("/threads/deeper/c1"), v2)
    assert kind in refusal.value.why and "--cgroup-parent" in refusal.value.remedy


def test_memory_is_kept_in_the_groups_that_are_minirun_s(v2: Layout) -> None:
    """Those of somebody else have his limits, and what a leaf's processes use is in the leaf."""
    Path(v2.v2, "theirs").mkdir()
    lines = plan(a_spec("/theirs/ours/c1", leaf="leaf", memory=Memory(reservation=8 * MIB)), v2)
    assert [line for line in lines if "memory.low" in line] == [
        'write("/theirs/ours/c1/memory.low", "8388608")',
        'write("/theirs/ours/c1/leaf/memory.low", "max")',
        'write("/theirs/ours/memory.low", <sum of the groups in it>)',
    ]


def test_a_group_keeps_what_those_in_it_keep(tmp_path: Path) -> None:
    for name, text in {"one": "4096\n", "two": "8192\n", "three": "0\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "memory.low").write_text(text)
    (tmp_path / "uncounted").mkdir()
    (tmp_path / "memory.low").write_text("0")
    assert cgroup.sum_memory_low(str(tmp_path)) == "12288"
    assert (tmp_path / "memory.low").read_text().startswith("12288")
    (tmp_path / "three/memory.low").write_text("max\n")
    assert cgroup.sum_memory_low(str(tmp_path)) == "max"


@pytest.mark.parametrize("cpus", ["4", "0-4", "2,7", "0-3,4"])
def test_cpus_that_the_groups_above_lack_are_refused(v2: Layout, cpus: str) -> None:
    Path(v2.v2, "cpuset.cpus.effective").write_text("0-3\n")
    with pytest.raises(Unsupported, match=f"the CPUs {cpus}") as refusal:
        plan(a_spec(cpu=Cpu(cpus=cpus)), v2)
    assert "0-3" in refusal.value.why and "lscpu" in refusal.value.remedy
    assert plan(a_spec(cpu=Cpu(cpus="1-3,0")), v2)


@pytest.mark.parametrize(
    ("resources", "wish"),
    [
        ({"memory": Memory(limit=MIB)}, "memory"),
        ({"memory": Memory(limit=MIB, swap=2 * MIB)}, "memory"),
        ({"cpu": Cpu(quota=1000)}, "cpu"),
        ({"cpu": Cpu(cpus="0")}, "cpuset"),
        ({"pids": Pids(limit=3)}, "pids"),
        ({"blockIO": BlockIO(weight=100)}, "io"),
        ({"unified": {"memory.high": "1M"}}, "memory.high"),
        ({"devices": (DeviceRule(allow=False),)}, "devices"),
    ],
)
def test_a_limit_without_its_controller_is_refused_by_name(resources: dict[str, Any], wish: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        list(cgroups.host_steps(a_spec(**resources), Layout()))
    assert wish in str(refusal.value)


def test_nothing_asked_of_a_host_without_cgroups_is_fine() -> None:
    spec = a_spec(devices=(), memory=Memory(limit=-1), pids=Pids(limit=-1))
    assert list(cgroups.host_steps(spec, Layout())) == []
    assert list(cgroups.init_steps(spec, Layout())) == []
    assert cgroups.clone_into(spec, Layout()) is None
    assert cgroups.oom_file(spec, Layout()) is None


def test_swap_without_its_accounting_is_refused(hybrid: Layout) -> None:
    Path(hybrid.v1["memory"], "memory.memsw.limit_in_bytes").unlink()
    with pytest.raises(Unsupported, match="swap limit"):
        plan(a_spec(memory=Memory(limit=MIB, swap=MIB)), hybrid)
    with pytest.raises(Unsupported, match="OOM killer"):
        plan(a_spec(memory=Memory(disableOOMKiller=True)), Layout(v2=hybrid.v2, v2_controllers=("memory",)))


@pytest.mark.parametrize(
    ("now", "limit", "swap", "first"),
    [
        ("9223372036854771712", 8 * MIB, 16 * MIB, "memory.limit"),  # a new group
        (str(32 * MIB), 8 * MIB, 16 * MIB, "memory.limit"),  # lowered
        (str(4 * MIB), 8 * MIB, 16 * MIB, "memory.memsw"),  # raised
        (str(4 * MIB), 8 * MIB, -1, "memory.memsw"),
        (str(4 * MIB), -1, None, "memory.memsw"),  # no limit at all: swap's has to go first
    ],
)
def test_v1_never_has_memory_above_memory_plus_swap(
    hybrid: Layout, now: str, limit: int, swap: int | None, first: str
) -> None:
    group = Path(hybrid.v1["memory"], "minirun/c1")
    group.mkdir(parents=True)
    (group / "memory.memsw.limit_in_bytes").write_text(now)
    lines = plan(a_spec(memory=Memory(limit=limit, swap=swap)), hybrid)
    writes = [line for line in lines if "_in_bytes" in line]
    assert len(writes) == 2 and f"/{first}" in writes[0]


@pytest.mark.parametrize(
    ("shares", "weight"),
    [(2, 1), (3, 2), (100, 17), (512, 59), (1024, 100), (2048, 174), (262144, 10000), (1 << 20, 10000)],
)
def test_cpu_weight(shares: int, weight: int) -> None:
    assert cpu_weight(shares) == weight


def test_cpu_weight_never_falls_and_stays_in_range() -> None:
    weights = [cpu_weight(shares) for shares in range(2, 262145, 61)]
    assert weights == sorted(weights)
    assert weights[0] == 1 and weights[-1] <= 10000


@pytest.mark.parametrize(("weight", "io"), [(10, 1), (100, 910), (500, 4950), (1000, 10000)])
def test_io_weight(weight: int, io: int) -> None:
    assert io_weight(weight) == io


@pytest.mark.parametrize("weight", [1, 9, 1001])
def test_io_weight_out_of_range(weight: int) -> None:
    with pytest.raises(InvalidInput, match="10 to 1000"):
        io_weight(weight)


def test_swap_is_without_memory_on_v2() -> None:
    assert swap_only(100, 150) == "50"
    assert swap_only(100, 100) == "0"
    assert swap_only(None, -1) == "max"
    with pytest.raises(InvalidInput, match="needs a memory limit"):
        swap_only(None, 100)
    with pytest.raises(InvalidInput, match="below"):
        swap_only(100, 99)


def test_io_max_has_one_line_a_device() -> None:
    disk, other = ThrottleDevice(major=8, minor=0, rate=1024), ThrottleDevice(major=9, minor=1, rate=0)
    wish = BlockIO(throttleReadBpsDevice=(disk, other), throttleWriteIOPSDevice=(disk,))
    assert io_max(wish) == ["8:0 rbps=1024 wiops=1024", "9:1 rbps=max"]


def test_io_weight_goes_to_the_files_that_the_kernel_has(v2: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = a_spec(blockIO=BlockIO(weight=500))
    bfq, cost = 'write("/minirun/c1/io.bfq.weight", "500")', 'write("/minirun/c1/io.weight", "default 4950")'
    monkeypatch.setattr(v2_words, "_has_bfq", lambda: True)
    assert plan(spec, v2)[-1] == bfq
    Path(v2.v2, "io.cost.qos").touch()
    assert plan(spec, v2)[-2:] == [cost, bfq]
    monkeypatch.setattr(v2_words, "_has_bfq", lambda: False)
    assert plan(spec, v2)[-1] == cost
    Path(v2.v2, "io.cost.qos").unlink()
    with pytest.raises(Unsupported, match="weight"):
        plan(spec, v2)


def test_a_cpu_quota_alone_or_a_period_alone(v2: Layout) -> None:
    assert plan(a_spec(cpu=Cpu(quota=5000)), v2)[-1] == 'write("/minirun/c1/cpu.max", "5000")'
    assert plan(a_spec(cpu=Cpu(quota=-1)), v2)[-1] == 'write("/minirun/c1/cpu.max", "max")'
    assert plan(a_spec(cpu=Cpu(period=5000)), v2)[-1] == 'write("/minirun/c1/cpu.max", "max 5000")'


@pytest.mark.parametrize("key", ["../escape", "memory", "cgroup.procs", "cgroup.kill", "a/b.c"])
def test_unified_takes_limits_only(v2: Layout, key: str) -> None:
    with pytest.raises(InvalidInput, match=r"resources\.unified"):
        plan(a_spec(unified={key: "1"}), v2)


def test_unified_writes_a_line_at_a_time(v2: Layout) -> None:
    lines = plan(a_spec(unified={"io.max": "8:0 rbps=1\n8:16 rbps=2\n", "cgroup.max.depth": "2"}), v2)
    assert [line for line in lines if "io.max" in line] == [
        'write("/minirun/c1/io.max", "8:0 rbps=1")',
        'write("/minirun/c1/io.max", "8:16 rbps=2")',
    ]
    assert any("+io" in line for line in lines), "what is written needs its controller"


@pytest.mark.parametrize(
    ("given", "path"),
    [("/minirun/c1", "/minirun/c1"), ("c1", "/minirun/c1"), ("/a//b/", "/a/b"), ("", "/minirun/the-id")],
)
def test_cgroups_path(given: str, path: str) -> None:
    spec = Spec(id="the-id", process=Process(args=("true",)), linux=Linux(cgroupsPath=given))
    assert path_of(spec) == path


@pytest.mark.parametrize("given", ["/", "/minirun/../..", "..", "a\nb"])
def test_a_cgroups_path_stays_in_its_tree(given: str) -> None:
    with pytest.raises(InvalidInput):
        path_of(a_spec(given))


def test_systemd_style_paths_are_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="systemd"):
        path_of(a_spec("system.slice:crio:c1"))
