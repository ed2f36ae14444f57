"""The Spec as config.json for another runtime, the words by which that is called, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from minirun.container.oci import bundle, groups, plan, refusals, runtime
from minirun.container.options import Options
from minirun.container.specify import Lent, spec_of
from minirun.container.state import Record, Store
from minirun.errors import NotFound, Unsupported
from minirun.image.config import ImageConfig
from minirun.spec import Spec
from minirun.values import replace

LENT = Lent(rootfs="/c/rootfs", upperdir="/c/upper", workdir="/c/work", layers=("/l/1",), volumes="/v")


def spec(**options: Any) -> Spec:
    """Of a container with these options, on no network."""
    asked = Options(image="busybox", command=("true",), **{"network": ("none",), **options})
    return spec_of(asked, ImageConfig(), "0" * 64, LENT, lambda name: 4711)


def config(own_kernel: bool = False, **options: Any) -> dict[str, Any]:
    """config.json, as a runtime reads it."""
    found: dict[str, Any] = json.loads(json.dumps(bundle.config(spec(**options), "/b", own_kernel)))
    return found


def test_the_program_and_what_it_may() -> None:
    made = config(user="7:8", workdir="/w", env=("A=b",), ulimit=("nofile=1:2",), umask=0o27, read_only=True)
    process = made["process"]
    assert (process["args"], process["cwd"], process["terminal"]) == (["true"], "/w", False)
    assert process["user"] == {"uid": 7, "gid": 8, "umask": 0o27, "additionalGids": [8]}
    assert "A=b" in process["env"]
    assert process["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}]
    assert process["noNewPrivileges"] is True
    assert "CAP_KILL" in process["capabilities"]["bounding"]
    assert made["root"] == {"path": "/c/rootfs", "readonly": True}
    assert made["hostname"] == "0" * 12


def test_what_it_gets() -> None:
    linux = config(memory=64 << 20, cpus=0.5, pids_limit=9, cpuset_cpus="0")["linux"]
    resources = linux["resources"]
    assert resources["memory"] == {"limit": 64 << 20, "swap": 128 << 20}
    assert resources["cpu"] == {"quota": 50000, "period": 100000, "cpus": "0"}
    assert resources["pids"] == {"limit": 9}
    assert resources["devices"][0] == {"allow": False, "access": "rwm"}  # a missing type is every type
    assert linux["cgroupsPath"] == f"/minirun/{'0' * 64}"
    assert {"type": "network"} in linux["namespaces"]
    assert "/proc/kcore" in linux["maskedPaths"] and "/proc/sys" in linux["readonlyPaths"]


def test_a_privileged_one_may_use_every_device() -> None:
    linux = config(privileged=True)["linux"]
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert all({"path", "type", "major", "minor", "fileMode"} <= set(each) for each in linux["devices"])
    assert "seccomp" not in linux


def test_the_default_filter_is_written_out() -> None:
    seccomp = config()["linux"]["seccomp"]
    assert seccomp["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in seccomp["syscalls"] for name in rule["names"]}
    assert "openat" in allowed and "kexec_load" not in allowed
    assert "profile" not in seccomp
    clone = next(rule for rule in seccomp["syscalls"] if rule["names"] == ["clone"])
    assert clone["args"][0]["op"] == "SCMP_CMP_MASKED_EQ"


def test_no_word_of_minirun_s_own_gets_out(tmp_path: Path) -> None:
    made = config(volume=("/a:/b:ro", "named:/n", "/anonymous"), tmpfs=("/t:size=1m",))
    assert "x-minirun" not in json.dumps(made)
    assert not {"id", "endpoints", "ports"} & set(made)
    by_place = {each["destination"]: each for each in made["mounts"]}
    assert by_place["/b"]["source"] == "/a" and "rbind" in by_place["/b"]["options"]
    assert by_place["/t"]["type"] == "tmpfs" and "size=1m" in by_place["/t"]["options"]


def test_what_is_joined_has_a_path_and_what_is_borrowed_lies_in_the_bundle() -> None:
    made = config(ipc="container:x", network=("container:x",))
    namespaces = {each["type"]: each.get("path") for each in made["linux"]["namespaces"]}
    assert namespaces["network"] == "/proc/4711/ns/net"
    assert namespaces["ipc"] == "/proc/4711/ns/ipc"
    shm = next(each for each in made["mounts"] if each["destination"] == "/dev/shm")
    assert shm["source"].startswith("/b/borrowed-")


def test_a_kernel_of_its_own_gets_what_it_understands() -> None:
    made = config(True, network=(), mount=("type=bind,source=/a,target=/b,ro",), uts="host")
    assert "sysctl" not in made["linux"]
    assert not any(word.startswith("rro") for each in made["mounts"] for word in each["options"])
    assert made["hostname"] == os.uname().nodename
    assert config(network=())["linux"]["sysctl"]["net.ipv4.ip_unprivileged_port_start"] == "0"


def called(**more: Any) -> runtime.Called:
    """runc's, for the container of ``spec``."""
    return runtime.Called(runtime=runtime.Runtime(path="/r/runc"), root="/o", id="ID", log="/log", **more)


def test_the_plan_has_the_runtime_in_place_of_what_it_does() -> None:
    titles = [step.title for step in plan.plan(spec(), called(), "/b")]
    order = ["mount the root file system", "runc create", "make the process that starts it"]
    order += ["say that all is ready", "wait at the gate", "runc start"]
    assert [title for title in titles if title in order] == order
    assert not {"mount /proc", "swap the root", "install the syscall filter"} & set(titles)
    shown = str(
        next(step for step in plan.plan(spec(), called(), "/b") if step.title == "runc create").calls[0]
    )
    assert "runc --root /o create --bundle /b" in shown and "console" not in shown


def test_the_plan_of_a_terminal_receives_it() -> None:
    steps = plan.plan(spec(tty=True), called(), "/b")
    create = next(step for step in steps if step.title == "runc create")
    assert "--console-socket" in str(create.calls[0])
    assert "receive the terminal" in [step.title for step in steps]


def test_a_guest_of_a_gvisor_sandbox_has_a_stand_in() -> None:
    steps = plan.plan(spec(), called(), "/b", stands_in=True)
    assert steps[-1].title == "runc wait"
    assert [step.result for step in steps if step.title == "make the process that starts it"] == ["init"]


def test_a_runtime_is_found_along_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "myrun"
    program.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="no OCI runtime myrun"):
        runtime.find("myrun")  # not executable
    program.chmod(0o755)
    assert runtime.find("myrun") == runtime.find(str(program)) == str(program)
    assert runtime.find("minirun") == runtime.find("") == ""


@pytest.mark.parametrize(
    ("options", "path", "what"),
    [
        ({"userns": "private"}, "/r/runc", "user namespace"),
        ({"time": "private"}, "/r/runc", "time namespace"),
        ({"volume": ("/a:/b:rshared",)}, "/r/runc", "propagation of /b"),
        ({"sysctl": {"net.ipv4.ip_forward": "1"}}, "/r/runsc", "sysctl net.ipv4.ip_forward"),
        ({"ipc": "host"}, "/r/runsc", "ipc namespace"),
        ({"pid": "host"}, "/r/runsc", "pid namespace"),
        ({"device": ("/dev/null:/dev/x",)}, "/r/runsc", "device"),
        ({"domainname": "example.org"}, "/r/runsc", "--domainname"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(options: dict[str, Any], path: str, what: str) -> None:
    record = Record(id="ID", name="n", spec=spec(**options))
    with pytest.raises(Unsupported, match=what):
        refusals.check(record, runtime.Runtime(path=path))


def test_the_network_of_another_container_is_in_another_kernel() -> None:
    record = Record(id="ID", name="n", spec=spec(), lenders={"network": "other"})
    refusals.check(record, runtime.Runtime(path="/r/runc"))
    with pytest.raises(Unsupported, match="network namespace of another container"):
        refusals.check(record, runtime.Runtime(path="/r/runsc"))
    refusals.check(runtime.in_pod(record, "other"), runtime.Runtime(path="/r/runsc"))


def test_gvisor_gets_the_network_that_is_meant() -> None:
    gvisor = runtime.Runtime(path="/r/runsc")
    assert "--network=none" in gvisor.flags(spec())
    assert "--network=host" in gvisor.flags(spec(network=("host",)))
    assert runtime.Runtime(path="/r/runc").flags(spec()) == ()


def test_the_containers_of_a_pod_share_a_root_of_the_runtime() -> None:
    store = Store(root="/data", state="/run/m")
    record = Record(id="ID", name="n", spec=spec(), runtime="/r/runsc")
    assert runtime.called(store, record).root == "/run/m/containers/ID/oci"
    member = runtime.in_pod(record, "SANDBOX")
    assert runtime.called(store, member).root == "/run/m/containers/SANDBOX/oci"
    assert runtime.is_guest_of_sandbox(member) and not runtime.is_guest_of_sandbox(record)
    assert not runtime.is_guest_of_sandbox(replace(member, runtime="/r/runc"))


MOUNTINFO = """\
30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 1 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
32 1 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
33 1 0:29 / /proc rw - proc proc rw
"""


def test_a_runtime_goes_into_every_tree() -> None:
    base = "/sys/fs/cgroup"
    assert groups.trees(MOUNTINFO) == (f"{base}/memory", f"{base}/systemd", f"{base}/unified")
