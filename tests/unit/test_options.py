"""From options and an image to the OCI Spec: docker's rules, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minirun.cli import quick
from minirun.cli.flags import TABLES
from minirun.container import specify_mounts
from minirun.container.names import check_name, random_name
from minirun.container.options import Options, check
from minirun.container.specify import Lent, spec_of
from minirun.errors import Conflict, InvalidInput, MinirunError, Unsupported, UsageError
from minirun.image.config import ImageConfig
from minirun.linux import capability
from minirun.spec import Mount, Namespace, Spec

ID = "0123456789abcdef" * 4
IMAGE = ImageConfig(cmd=("sh",), env=("PATH=/bin", "A=image"))


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with users in it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nann:x:1000:\ndisk:x:6:ann\nvideo:x:44:\n")
    return tmp_path


@pytest.fixture
def spec(layer: Path) -> Any:
    """``spec("--rm", "-m", "64m")``: the Spec of that command line, with an image's command."""

    def made(*argv: str, image: ImageConfig = IMAGE, command: tuple[str, ...] = ()) -> Spec:
        table = TABLES["run"]
        found = quick.read(table, [*argv, "img", *command])
        assert found is not None
        lent = Lent(
            layers=(str(layer),),
            rootfs="/r",
            upperdir="/u",
            workdir="/w",
            volumes="/v",
            init="/init",
            first_id=131072,
        )
        return spec_of(table.value(*found), image, ID, lent, {"other": 42}.__getitem__)

    return made


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "flags", "command", "expected"),
    [
        ((), ("sh",), [], (), ("sh",)),
        ((), ("sh",), [], ("ls", "-l"), ("ls", "-l")),
        (("e",), ("c",), [], (), ("e", "c")),
        (("e",), ("c",), [], ("x",), ("e", "x")),
        (("e",), ("c",), ["--entrypoint", "n"], (), ("n",)),
        (("e",), ("c",), ["--entrypoint", "n"], ("x",), ("n", "x")),
        (("e",), ("c",), ["--entrypoint", ""], ("x",), ("x",)),
    ],
)
def test_args(
    spec: Any,
    entrypoint: tuple[str, ...],
    cmd: tuple[str, ...],
    flags: list[str],
    command: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    image = ImageConfig(entrypoint=entrypoint, cmd=cmd)
    assert spec(*flags, image=image, command=command).process.args == expected


@pytest.mark.parametrize(
    ("image", "flags"), [(ImageConfig(), []), (ImageConfig(cmd=("c",)), ["--entrypoint", ""])]
)
def test_no_command(spec: Any, image: ImageConfig, flags: list[str]) -> None:
    with pytest.raises(UsageError, match="no command"):
        spec(*flags, image=image)


def test_init_stands_before_the_program(spec: Any) -> None:
    found = spec("--init", command=("sleep", "1"))
    assert found.process.args == (specify_mounts.INIT, "sleep", "1")
    assert found.mounts[-1].source == "/init"
    assert "ro" in found.mounts[-1].options


def test_environment(spec: Any) -> None:
    assert spec("-e", "A=flag", "-e", "B=").process.env == (
        "PATH=/bin", "HOSTNAME=0123456789ab", "A=flag", "B=", "HOME=/root",
    )  # fmt: skip
    plain = spec("-t", image=ImageConfig(cmd=("sh",))).process.env
    assert "TERM=xterm" in plain
    assert any(word.startswith("PATH=/usr/local/sbin") for word in plain)
    assert "HOME=/elsewhere" in spec("-e", "HOME=/elsewhere").process.env


def test_users(spec: Any) -> None:
    user = spec("-u", "ann", "--group-add", "video", "--group-add", "99", "--umask", "027").process.user
    assert (user.uid, user.gid, user.umask) == (1000, 1000, 0o27)
    assert set(user.additionalGids) >= {6, 44, 99}
    assert spec(image=ImageConfig(cmd=("sh",), user="ann")).process.user.uid == 1000
    assert spec("-u", "7:8").process.user.gid == 8
    assert "HOME=/home/ann" in spec("-u", "ann").process.env
    with pytest.raises(MinirunError, match="nobody-here"):
        spec("-u", "nobody-here")


def test_working_directory(spec: Any) -> None:
    image = ImageConfig(cmd=("sh",), workdir="/srv")
    assert [spec(image=image).process.cwd, spec("-w", "/x", image=image).process.cwd] == ["/srv", "/x"]
    with pytest.raises(UsageError, match="absolute"):
        spec("-w", "x")


def test_default_namespaces_are_all_new_but_user_and_time(spec: Any) -> None:
    found = spec().linux.namespaces
    assert {each.type for each in found} == {"mount", "uts", "ipc", "pid", "network", "cgroup"}
    assert not any(each.path for each in found)


@pytest.mark.parametrize(
    ("flag", "kind", "file"),
    [
        ("--pid", "pid", "pid"),
        ("--network", "network", "net"),
        ("--ipc", "ipc", "ipc"),
        ("--uts", "uts", "uts"),
        ("--cgroupns", "cgroup", "cgroup"),
        ("--userns", "user", "user"),
    ],
)
def test_sharing_namespaces(spec: Any, flag: str, kind: str, file: str) -> None:
    assert Namespace(type=kind, path=f"/proc/42/ns/{file}") in spec(flag, "container:other").linux.namespaces
    assert kind not in {each.type for each in spec(flag, "host").linux.namespaces}


def test_a_network_namespace_by_path(spec: Any) -> None:
    assert (
        Namespace(type="network", path="/run/netns/x")
        in spec("--network", "ns:/run/netns/x").linux.namespaces
    )


@pytest.mark.parametrize("word", ["private", "auto"])
def test_a_user_namespace_gets_the_lent_ids(spec: Any, word: str) -> None:
    linux = spec("--userns", word).linux
    assert Namespace(type="user") in linux.namespaces
    assert [(each.containerID, each.hostID, each.size) for each in linux.uidMappings] == [(0, 131072, 65536)]
    assert linux.gidMappings == linux.uidMappings


def test_time(spec: Any) -> None:
    assert Namespace(type="time") in spec("--time", "private").linux.namespaces
    linux = spec("--time-offset", "-1.5s").linux
    assert Namespace(type="time") in linux.namespaces
    assert {(each.secs, each.nanosecs) for each in linux.timeOffsets.values()} == {(-2, 500_000_000)}
    assert set(linux.timeOffsets) == {"monotonic", "boottime"}


def test_names(spec: Any) -> None:
    assert spec().hostname == ID[:12]
    assert spec("-h", "web").hostname == "web"
    assert spec("--uts", "host").hostname == ""
    assert spec("--domainname", "d").domainname == "d"


def test_root(spec: Any) -> None:
    root = spec("--read-only", "--rm").root
    assert (root.path, root.upperdir, root.workdir, root.readonly, root.volatile) == (
        "/r",
        "/u",
        "/w",
        True,
        True,
    )
    assert not spec().root.volatile


def test_cgroup(spec: Any) -> None:
    assert spec().linux.cgroupsPath == f"/minirun/{ID}"
    assert spec("--cgroup-parent", "/a/b/").linux.cgroupsPath == f"/a/b/{ID}"


def test_limits(spec: Any) -> None:
    found = spec(
        "-m", "64m", "--cpus", "0.5", "--pids-limit", "10", "-c", "512", "--cpuset-cpus", "0-1"
    ).linux.resources
    assert (found.memory.limit, found.memory.swap) == (64 << 20, 128 << 20)
    assert (found.cpu.quota, found.cpu.period, found.cpu.shares, found.cpu.cpus) == (
        50000,
        100000,
        512,
        "0-1",
    )
    assert found.pids is not None
    assert found.pids.limit == 10


def test_limits_that_were_not_asked_for_are_not_set(spec: Any) -> None:
    found = spec().linux.resources
    assert (found.memory.limit, found.memory.swap, found.cpu.quota, found.pids) == (None, None, None, None)
    assert spec("--pids-limit", "0").linux.resources.pids.limit == -1
    assert spec("-m", "64m", "--memory-swap", "-1").linux.resources.memory.swap == -1


def test_a_rate_needs_a_disk(spec: Any, tmp_path: Path) -> None:
    for path, why in (("/dev/null", "not a block device"), (str(tmp_path / "none"), "No such file")):
        with pytest.raises(UsageError, match=why):
            spec("--device-write-bps", f"{path}:1m")


def test_default_privileges(spec: Any) -> None:
    found = spec()
    assert found.process.noNewPrivileges
    assert set(found.process.capabilities.bounding) <= set(capability.DEFAULT)
    assert found.linux.seccomp.profile == "default"
    assert "/proc/kcore" in found.linux.maskedPaths
    assert "/proc/sys" in found.linux.readonlyPaths
    assert not found.linux.resources.devices[0].allow


def test_privileged(spec: Any) -> None:
    found = spec("--privileged")
    assert set(found.process.capabilities.bounding) == set(capability.available())
    assert found.linux.seccomp is None
    assert not found.linux.maskedPaths + found.linux.readonlyPaths
    assert found.linux.resources.devices[0].allow
    assert "rw" in _mount(found, "/sys").options
    assert found.process.noNewPrivileges  # that was not asked for


def test_capabilities(spec: Any) -> None:
    found = spec("--cap-drop", "ALL", "--cap-add", "kill").process.capabilities
    assert found.bounding == found.effective == found.permitted == ("CAP_KILL",)
    assert spec("-u", "ann", "--cap-drop", "ALL", "--cap-add", "KILL").process.capabilities.effective == ()
    with pytest.raises(UsageError):
        spec("--cap-add", "NOPE")


def test_security_options(spec: Any) -> None:
    def linux(*words: str) -> Any:
        return spec(*[part for word in words for part in ("--security-opt", word)])

    assert not linux("no-new-privileges=false").process.noNewPrivileges
    assert linux("no-new-privileges").process.noNewPrivileges
    assert linux("seccomp=unconfined").linux.seccomp is None
    assert linux("apparmor=mine").process.apparmorProfile == "mine"
    assert linux("systempaths=unconfined").linux.maskedPaths == ()
    assert "/etc/x" in linux("mask=/etc/x:/etc/y").linux.maskedPaths
    assert "/proc/kcore" not in linux("unmask=/proc/kcore").linux.maskedPaths
    assert linux("unmask=ALL").linux.readonlyPaths == ()
    assert linux("label=disable") == spec()


def test_a_seccomp_profile_from_a_file(spec: Any, tmp_path: Path) -> None:
    profile = tmp_path / "p.json"
    rule = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    found = spec("--security-opt", f"seccomp={profile}", "--privileged").linux.seccomp
    assert found.syscalls[0].names == ("mkdir",)
    profile.write_text("{")
    with pytest.raises(InvalidInput, match="JSON"):
        spec("--security-opt", f"seccomp={profile}")


@pytest.mark.parametrize(
    "word",
    [
        "nope",
        "seccomp=",
        "seccomp=/none",
        "no-new-privileges=maybe",
        "apparmor=",
        "systempaths=x",
        "mask=rel",
        "unmask=/x",
    ],
)
def test_bad_security_options(spec: Any, word: str) -> None:
    with pytest.raises(UsageError, match="--security-opt"):
        spec("--security-opt", word)


def test_selinux_is_refused(spec: Any) -> None:
    with pytest.raises(Unsupported, match="SELinux"):
        spec("--security-opt", "label=type:x")


def test_default_mounts(spec: Any) -> None:
    places = [mount.destination for mount in spec().mounts]
    assert places.index("/dev") < places.index("/dev/shm")
    assert "ro" in _mount(spec(), "/sys").options
    assert "size=1048576" in _mount(spec("--shm-size", "1m"), "/dev/shm").options


def test_ipc_decides_on_shm(spec: Any) -> None:
    assert "/dev/shm" not in [mount.destination for mount in spec("--ipc", "none").mounts]
    assert _mount(spec("--ipc", "host"), "/dev/shm").type == "bind"


def test_in_a_user_namespace_what_is_the_hosts_is_bound(spec: Any) -> None:
    assert _mount(spec("--userns", "private", "--network", "host"), "/sys").type == "bind"
    assert _mount(spec("--userns", "private"), "/sys").type == "sysfs"
    assert _mount(spec("--network", "host"), "/sys").type == "sysfs"


def test_volumes(spec: Any, tmp_path: Path) -> None:
    found = spec("-v", f"{tmp_path}:/a/b:ro", "--tmpfs", "/dev/shm", "-v", "cache:/c", image=ImageConfig(
        cmd=("sh",), volumes=("/data",)))  # fmt: skip
    assert _mount(found, "/a/b").source == str(tmp_path)
    assert _mount(found, "/c").source == "/v/cache/_data"
    assert [mount.destination for mount in found.mounts].count("/dev/shm") == 1
    anonymous = specify_mounts.anonymous_volumes(found)
    assert [len(name) for name in anonymous] == [64]
    assert anonymous[0] in _mount(found, "/data").source


def test_devices(spec: Any) -> None:
    linux = spec("--device", "/dev/null:/dev/nil:r").linux
    assert [(node.path, node.major, node.minor) for node in linux.devices] == [("/dev/nil", 1, 3)]
    assert linux.resources.devices[-1].access == "r"


def test_the_rest_arrives(spec: Any) -> None:
    found = spec("--sysctl", "net.ipv4.ip_forward=1", "--ulimit", "nofile=5:6", "--oom-score-adj", "9",
                 "--annotation", "a=b", "--blkio-weight", "100", "-t")  # fmt: skip
    assert found.linux.sysctl["net.ipv4.ip_forward"] == "1"
    assert [(each.type, each.soft, each.hard) for each in found.process.rlimits] == [("RLIMIT_NOFILE", 5, 6)]
    assert found.process.oomScoreAdj == 9
    assert found.annotations == {"a": "b"}
    assert found.linux.resources.blockIO.weight == 100
    assert found.process.terminal


@pytest.mark.parametrize(
    "options",
    [
        Options(detach=True, attach=("stdout",)),
        Options(hostname="x", uts="host"),
        Options(hostname="x", network=("container:y",)),
        Options(privileged=True, userns="private"),
        Options(shm_size=1, ipc="host"),
        Options(time="host", time_offset=1.0, network=("x",), memory_swap=5),
        Options(memory=100, memory_swap=50),
        Options(memory=100, memory_reservation=200),
        Options(oom_kill_disable=True),
        Options(cpus=1.0, cpu_quota=5),
    ],
)
def test_contradictions(options: Options) -> None:
    with pytest.raises(UsageError) as caught:
        check(options)
    assert caught.value.why
    assert caught.value.remedy


def test_what_docker_allows_together_is_allowed() -> None:
    check(Options(network=("host",), hostname="x"))
    check(Options(privileged=True, security_opt=("seccomp=x",)))
    check(Options(memory=100, memory_swap=-1))


def test_two_mounts_at_one_place(spec: Any) -> None:
    with pytest.raises(Conflict):
        spec("-v", "/a:/x", "-v", "/b:/x")


def test_random_names_are_names() -> None:
    check_name(random_name())
    seen: list[str] = []

    def taken(name: str) -> bool:
        seen.append(name)
        return len(seen) < 10

    assert random_name(taken) == seen[-1]
    assert len(seen) == 10


def _mount(spec: Spec, destination: str) -> Mount:
    return next(mount for mount in spec.mounts if mount.destination == destination)


def test_low_ports_and_ping_are_for_everybody_in_a_network_of_its_own(spec: Any) -> None:
    """As docker has it; not where it would turn another's knobs, and --sysctl has the last word."""
    ports, ping = "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"
    assert spec().linux.sysctl == spec("--network", "none").linux.sysctl == {ports: "0", ping: "0 2147483647"}
    assert spec("--network", "host").linux.sysctl == {}
    assert spec("--sysctl", f"{ports}=80").linux.sysctl[ports] == "80"
