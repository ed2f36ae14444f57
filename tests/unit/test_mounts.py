"""The plan of the file system: input -> steps, no root."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minirun.errors import InvalidInput, NotFound, Unsupported, UsageError
from minirun.isolation import devices, mounts, overlay
from minirun.isolation.mounts import cgroup, defaults, options
from minirun.isolation.mounts.cgroup import Hierarchy
from minirun.linux.mount import MountAttr, MountFlag, MoveMountFlag
from minirun.spec import Device, Linux, Mount, Namespace, Process, Root, Spec
from minirun.steps import Step

HEADER = Path("/usr/include/linux/mount.h")


def make_spec(*asked: Mount, root: Root | None = None, **linux: object) -> Spec:
    """A Spec with these mounts."""
    return Spec(
        id="test",
        process=Process(args=("true",)),
        root=root or Root(path="/r", layers=("/l/1", "/l/2"), upperdir="/u", workdir="/w"),
        mounts=asked,
        linux=Linux(**linux),
    )


def shown(steps: object) -> list[str]:
    """The calls of ``steps`` as they are printed."""
    return [str(call) for step in steps for call in step.calls]


# --- the flags ---------------------------------------------------------------


@pytest.mark.skipif(not HEADER.exists(), reason="this machine lacks: linux/mount.h")
@pytest.mark.parametrize("kind", [MountFlag, MountAttr, MoveMountFlag])
def test_flags_are_the_kernels(kind: type[MountFlag]) -> None:
    """Every member has the number of its #define."""
    prefix = str(next(iter(kind))).removesuffix(next(iter(kind)).name or "")
    numbers = {
        name: eval(value)
        for name, value in re.findall(
            rf"#define\s+{prefix}(\w+)\s+(0x\w+|\d+|\(1<<\d+\))", HEADER.read_text()
        )
    }
    assert {member.name: int(member) for member in kind} == {
        member.name: numbers[member.name] for member in kind
    }


def test_flags_print_their_names() -> None:
    """As strace prints them."""
    assert str(MountFlag.NOSUID | MountFlag.NODEV) == "MS_NOSUID|MS_NODEV"
    assert str(MountFlag(0)) == "0"


# --- options -----------------------------------------------------------------


def parsed(*words: str, kind: str = "tmpfs") -> options.Options:
    """The options of a mount at /x."""
    return options.parse(Mount(destination="/x", type=kind, source="/s", options=words))


def test_options_are_sorted() -> None:
    """Flags, propagation, and what only the file system understands."""
    found = parsed("nosuid", "noexec", "size=64m", "rprivate", "mode=755")
    assert found.flags == MountFlag.NOSUID | MountFlag.NOEXEC
    assert found.data == "size=64m,mode=755"
    assert found.propagation == "rprivate"


def test_the_later_word_counts() -> None:
    """rw after ro, exec after noexec."""
    assert parsed("ro", "noexec", "rw", "exec").flags == 0
    assert parsed("noatime", "relatime").flags == MountFlag.RELATIME


def test_recursive_options() -> None:
    """rro is for all mounts below; rw for the mount itself."""
    found = parsed("rbind", "rro", "rnosuid", "rnoatime", kind="bind")
    assert found.recursive
    assert found.all_set == MountAttr.RDONLY | MountAttr.NOSUID | MountAttr.NOATIME
    assert found.all_clr == 0x70
    assert found.readonly


@pytest.mark.parametrize("word", ["size=1m", "sync", "frobnicate", "rfrobnicate"])
def test_a_bind_has_no_data(word: str) -> None:
    """A word that would change nothing is refused by name."""
    with pytest.raises(InvalidInput, match=word):
        parsed("bind", word, kind="bind")


def test_idmap_is_refused_by_name() -> None:
    """Of the OCI options this one is not kept."""
    with pytest.raises(Unsupported, match="idmap"):
        parsed("bind", "idmap", kind="bind")


# --- overlay -----------------------------------------------------------------


def test_the_topmost_layer_comes_first() -> None:
    """The spec has the lowest first, overlayfs the topmost."""
    assert overlay.options(Root(layers=("/low", "/top"), upperdir="/u", workdir="/w"), False).startswith(
        "lowerdir=/top:/low,upperdir=/u,workdir=/w,"
    )


def test_separators_in_paths_are_escaped() -> None:
    """A colon, a comma or a backslash in a directory's name is not a separator."""
    found = overlay.options(Root(layers=("/a:b,c\\d",), upperdir="/u:v,w", workdir="/w"), False)
    assert found.startswith("lowerdir=/a\\:b\\,c\\\\d,upperdir=/u:v\\,w,workdir=/w,")


def test_volatile_and_user_namespace() -> None:
    """Each has its option, and only where it was asked for."""
    plain = Root(layers=("/a",), upperdir="/u", workdir="/w")
    assert not {"volatile", "userxattr"} & set(overlay.options(plain, False).split(","))
    swift = Root(layers=("/a",), upperdir="/u", workdir="/w", volatile=True)
    assert {"volatile", "userxattr"} <= set(overlay.options(swift, True).split(","))


def test_many_layers_take_another_way() -> None:
    """More than a page of options: the layers go by their descriptors."""
    many = Root(path="/r", layers=tuple(f"/l/{n:064}" for n in range(100)), upperdir="/u", workdir="/w")
    (call,) = [text for text in shown(overlay.mount(make_spec(root=many))) if text.startswith("mount(")]
    assert "lowerdir=<100 layers>,upperdir=/u" in call


def test_a_plain_directory_is_bound_to_itself() -> None:
    """pivot_root(2) wants a mount point."""
    spec = make_spec(root=Root(path="/r"))
    assert shown(overlay.mount(spec))[0] == 'mount("/r", "/r", NULL, MS_BIND|MS_REC, NULL)'
    assert list(overlay.host_steps(spec)) == []


# --- mounts ------------------------------------------------------------------


def test_proc_is_shown_as_the_kernel_gets_it() -> None:
    """The place is shown inside the root file system."""
    assert shown(mounts.populate(make_spec(defaults.default_mounts()[0]))) == [
        'mount("proc", "<rootfs>/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)'
    ]


def test_a_bind_is_picked_up_before_the_tree_is_cut_off() -> None:
    """Only then can it be a slave of the host's mount."""
    spec = make_spec(Mount(destination="/d", type="bind", source="/s", options=("rbind", "rslave", "ro")))
    early = shown(mounts.private_root(spec))
    assert [text.partition("(")[0] for text in early] == ["open_tree", "mount"]
    assert shown(mounts.populate(spec)) == [
        'mount_setattr(<mount 0>, "", AT_EMPTY_PATH|AT_RECURSIVE, {propagation=MS_SLAVE})',
        'mount_setattr(<mount 0>, "", AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_RDONLY})',
        'move_mount(<mount 0>, "", "<rootfs>/d", "", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH)',
    ]


@pytest.mark.parametrize(
    ("word", "recursive", "own"),
    [
        ("", "MS_PRIVATE", ""),
        ("private", "MS_PRIVATE", ""),
        ("rslave", "MS_SLAVE", ""),
        ("rshared", "MS_SHARED", ""),
        ("shared", "", "MS_SHARED"),
        ("unbindable", "MS_PRIVATE", "MS_UNBINDABLE"),
    ],
)
def test_propagation_of_binds(word: str, recursive: str, own: str) -> None:
    """Nothing stays connected to the host unless it was asked for."""
    spec = make_spec(Mount(destination="/d", source="/s", options=("rbind", *([word] if word else []))))
    found = [text for text in shown(mounts.populate(spec)) if text.startswith("mount_setattr")]
    expected = []
    if recursive:
        expected.append(
            f'mount_setattr(<mount 0>, "", AT_EMPTY_PATH|AT_RECURSIVE, {{propagation={recursive}}})'
        )
    if own:
        expected.append(f'mount_setattr(<mount 0>, "", AT_EMPTY_PATH, {{propagation={own}}})')
    assert found == expected


def test_a_readonly_tmpfs_is_closed_after_its_children() -> None:
    """Or nobody could make the places to mount on."""
    spec = make_spec(
        Mount(destination="/t", type="tmpfs", source="tmpfs", options=("ro",)),
        Mount(destination="/t/below", type="tmpfs", source="tmpfs"),
    )
    flags = [re.search(r"(MS_[A-Z_|]+|, 0,)", text).group() for text in shown(mounts.populate(spec))]
    assert flags == [", 0,", ", 0,", "MS_RDONLY|MS_REMOUNT|MS_BIND"]


def test_sysfs_of_the_hosts_network_is_bound_in_a_user_namespace() -> None:
    """The kernel would refuse the mount."""
    sysfs = next(each for each in defaults.default_mounts() if each.type == "sysfs")
    spec = make_spec(sysfs, namespaces=(Namespace(type="user"), Namespace(type="mount")))
    assert 'open_tree(AT_FDCWD, "/sys"' in shown(mounts.private_root(spec))[0]
    own = make_spec(sysfs, namespaces=(Namespace(type="user"), Namespace(type="network")))
    assert '"sysfs"' in shown(mounts.populate(own))[0]


@pytest.mark.parametrize(
    ("mount", "word"),
    [
        (Mount(destination="relative", type="tmpfs"), "absolute"),
        (Mount(destination="/", type="tmpfs"), "/"),
        (Mount(destination="/x"), "type"),
        (Mount(destination="/x", type="tmpfs", options=("rro",)), "recursive"),
    ],
)
def test_mounts_that_cannot_be(mount: Mount, word: str) -> None:
    """Refused in the plan, with the reason."""
    with pytest.raises(InvalidInput, match=word):
        list(mounts.populate(make_spec(mount)))


@pytest.mark.parametrize("word", ["secret", "rrprivate", "r"])
def test_rootfs_propagation_is_checked(word: str) -> None:
    """Before anything is done."""
    with pytest.raises(InvalidInput, match=word):
        list(mounts.private_root(make_spec(rootfsPropagation=word)))


def test_pivot_leaves_no_way_back() -> None:
    """The old root is detached, and nobody stands in it."""
    calls = shown(mounts.pivot(make_spec()))
    assert calls == ["fchdir(<rootfs>)", 'pivot_root(".", ".")', 'umount2(".", MNT_DETACH)', 'chdir("/")']
    assert shown(mounts.pivot(make_spec(rootfsPropagation="rshared")))[-1] == (
        'mount(NULL, "/", NULL, MS_REC|MS_SHARED, NULL)'
    )


def test_masks_are_looked_at_again() -> None:
    """The last thing done about masks is the look at them."""
    spec = make_spec(maskedPaths=("/proc/kcore", "/proc/acpi", "/odd"), readonlyPaths=("/proc/sys",))
    calls = shown(mounts.protect(spec))
    assert calls[-2:] == [
        "statfs(/proc/sys): each is read-only",
        "statfs(/proc/kcore, /proc/acpi, /odd): each is masked",
    ]
    assert [text.split('"')[1:4:2] for text in calls[2:-2]] == [
        ["/dev/null", "/proc/kcore"],
        ["tmpfs", "/proc/acpi"],
        ["/dev/null", "/odd"],  # nobody knows what it is before it is there
        ["tmpfs", "/odd"],
    ]


# --- the defaults ------------------------------------------------------------


def test_the_defaults_are_dockers() -> None:
    """The facts: moby's and containerd's lists."""
    assert set(defaults.READONLY_PATHS) == {
        f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger")
    }
    proc = "acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats"
    expected = {f"/proc/{name}" for name in proc.split()}
    assert set(defaults.MASKED_PATHS) == expected | {"/sys/firmware", "/sys/devices/virtual/powercap"}
    assert "/sys/devices/system/cpu/cpu1/thermal_throttle" in defaults.masked_paths(False, 2)


def test_privileged_masks_nothing_and_writes_sys() -> None:
    """A privileged container sees the machine."""
    assert defaults.masked_paths(True, 4) == defaults.readonly_paths(True) == ()
    written = [each.destination for each in defaults.default_mounts(privileged=True) if "ro" in each.options]
    closed = [each.destination for each in defaults.default_mounts() if "ro" in each.options]
    assert (written, closed) == ([], ["/sys", "/sys/fs/cgroup"])


# --- cgroup ------------------------------------------------------------------

HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
"""


def test_hierarchies_are_read_from_mountinfo() -> None:
    """A tree for several controllers is one; systemd's own has none and is left out."""
    assert cgroup.read_hierarchies(HYBRID) == (
        Hierarchy(mountpoint="/sys/fs/cgroup/cpu,cpuacct", controllers=("cpu", "cpuacct")),
        Hierarchy(mountpoint="/sys/fs/cgroup/memory", controllers=("memory",)),
        Hierarchy(mountpoint="/sys/fs/cgroup/unified"),
    )


def cgroup_calls(trees: tuple[Hierarchy, ...], *kinds: str, **linux: object) -> list[str]:
    """The calls for a read-only cgroup mount on a host with ``trees``."""
    mount = Mount(destination="/sys/fs/cgroup", type="cgroup", options=("nosuid", "ro"))
    spec = make_spec(mount, namespaces=tuple(Namespace(type=kind) for kind in kinds), **linux)
    return shown(mounts.populate(spec, trees))


def test_cgroup_v2_is_one_mount() -> None:
    """The tree itself, in a cgroup namespace."""
    assert cgroup_calls((Hierarchy(mountpoint="/sys/fs/cgroup"),), "cgroup") == [
        'mount("cgroup", "<rootfs>/sys/fs/cgroup", "cgroup2", MS_RDONLY|MS_NOSUID, NULL)'
    ]


def test_cgroup_v1_is_a_tmpfs_with_trees() -> None:
    """Each tree in its directory; controllers that share one get links."""
    calls = cgroup_calls(cgroup.read_hierarchies(HYBRID), "cgroup")
    assert calls[0].startswith('mount("tmpfs", "<rootfs>/sys/fs/cgroup", "tmpfs", MS_NOSUID,')
    assert (
        'mount("cgroup", "<rootfs>/sys/fs/cgroup/cpu,cpuacct", "cgroup", MS_RDONLY|MS_NOSUID, "cpu,cpuacct")'
        in calls
    )
    assert 'symlinkat("cpu,cpuacct", <rootfs>, "/sys/fs/cgroup/cpu")' in calls
    assert (
        calls[-1]
        == 'mount(NULL, "<rootfs>/sys/fs/cgroup", NULL, MS_RDONLY|MS_NOSUID|MS_REMOUNT|MS_BIND, NULL)'
    )


def test_without_a_cgroup_namespace_only_its_own_is_shown() -> None:
    """Not the host's tree."""
    tree = (Hierarchy(mountpoint="/sys/fs/cgroup"),)
    for path, expected in (("/minirun/x", "/minirun/x"), ("", "/minirun/test"), ("pod", "/minirun/pod")):
        assert cgroup_calls(tree, cgroupsPath=path)[0].startswith(f'mount("/sys/fs/cgroup{expected}", ')


def test_no_cgroups_at_all() -> None:
    """The host has none: said, not passed over."""
    with pytest.raises(Unsupported, match="cgroup"):
        cgroup_calls((), "cgroup")


# --- devices -----------------------------------------------------------------


def device_calls(spec: Spec) -> list[str]:
    """What is done for /dev."""
    return shown(devices.steps(spec))


def test_the_standard_devices() -> None:
    """Made, or bound where making one is not allowed."""
    assert 'mknodat(<rootfs>, "/dev/null", S_IFCHR|0o666, makedev(1, 3))' in device_calls(make_spec())
    inside = make_spec(namespaces=(Namespace(type="user"),))
    assert 'mount("/dev/null", "<rootfs>/dev/null", NULL, MS_BIND, NULL)' in device_calls(inside)


def test_a_devices_own_node_replaces_the_standard_one() -> None:
    """/dev/tty with another mode: one node, not two."""
    calls = device_calls(
        make_spec(devices=(Device(path="/dev/tty", type="c", major=5, minor=0, fileMode=0o600),))
    )
    assert [text for text in calls if '"/dev/tty"' in text] == [
        'mknodat(<rootfs>, "/dev/tty", S_IFCHR|0o600, makedev(5, 0))'
    ]


def test_the_hosts_dev_is_left_alone() -> None:
    """Nothing is made in a /dev that was bound from the host."""
    assert device_calls(make_spec(Mount(destination="/dev", source="/dev", options=("rbind",)))) == []


def test_device_words() -> None:
    """--device, as docker has it."""
    nodes, rules = devices.host_device("/dev/null:/dev/nothing:r")
    assert [(node.path, node.major, node.minor) for node in nodes] == [("/dev/nothing", 1, 3)]
    assert [(rule.type, rule.major, rule.minor, rule.access) for rule in rules] == [("c", 1, 3, "r")]
    assert devices.host_device("/dev/null:rw")[1][0].access == "rw"


@pytest.mark.parametrize(
    "text",
    ["null", "/dev/null:null2x", "/dev/null:/dev/x:rwx", "/dev/null:/x:r:w", "/dev/null:", "/dev/null:/x:rr"],
)
def test_device_words_that_are_none(text: str) -> None:
    """Refused."""
    with pytest.raises(UsageError):
        devices.host_device(text)


def test_a_device_that_is_not_there() -> None:
    """Named."""
    with pytest.raises(NotFound, match="/dev/no-such"):
        devices.host_device("/dev/no-such")
    with pytest.raises(UsageError, match="/etc/passwd"):
        devices.host_device("/etc/passwd")


def test_everything_is_denied_first() -> None:
    """The first rule of the default list; what follows are the exceptions."""
    first, *rest = devices.DEVICE_RULES
    assert (first.allow, first.type) == (False, "a")
    assert all(rule.allow for rule in rest)


def test_every_step_says_why() -> None:
    """A plan teaches."""
    spec = make_spec(*defaults.default_mounts(), maskedPaths=defaults.MASKED_PATHS)
    parts: list[list[Step]] = [
        list(part)
        for part in (
            overlay.host_steps(spec),
            mounts.private_root(spec),
            overlay.mount(spec),
            mounts.populate(spec, (Hierarchy(mountpoint="/sys/fs/cgroup"),)),
            devices.steps(spec),
            mounts.pivot(spec),
            mounts.protect(spec),
        )
    ]
    assert all(parts)
    assert [step for part in parts for step in part if not step.why] == []
