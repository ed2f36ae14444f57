"""Where the controllers are: recorded /proc/self/mountinfo texts -> Layout."""

from __future__ import annotations

from minirun.isolation.cgroups.layout import Layout, layout, parse

PURE_V2 = """\
24 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
28 24 0:25 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
"""
HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
LEGACY = """\
25 21 0:22 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:8 - tmpfs tmpfs ro,mode=755
26 25 0:23 / /sys/fs/cgroup/systemd rw,nosuid shared:9 - cgroup cgroup rw,xattr,name=systemd
29 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec shared:11 - cgroup cgroup rw,cpu,cpuacct
30 25 0:27 / /sys/fs/cgroup/net_cls,net_prio rw,nosuid shared:12 - cgroup cgroup rw,net_cls,net_prio
31 25 0:28 / /sys/fs/cgroup/blkio rw,nosuid shared:13 - cgroup cgroup rw,blkio
"""
IN_A_CONTAINER = """\
700 699 0:60 / /sys rw,nosuid - sysfs sysfs rw
701 700 0:61 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
702 701 0:32 /docker/0a1b /sys/fs/cgroup/memory rw,nosuid master:12 - cgroup cgroup rw,memory
703 701 0:26 /docker/0a1b /sys/fs/cgroup/my\\040tree rw,nosuid master:11 - cgroup cgroup rw,cpu,cpuacct
"""


def test_pure_v2() -> None:
    found = parse(PURE_V2, "cpuset cpu io memory pids\n")
    assert found == Layout(v2="/sys/fs/cgroup", v2_controllers=("cpuset", "cpu", "io", "memory", "pids"))
    assert [found.version(each) for each in ("memory", "io", "devices")] == [2, 2, 0]


def test_hybrid_is_decided_per_controller() -> None:
    found = parse(HYBRID, "hugetlb\n")
    assert found.v2 == "/sys/fs/cgroup/unified"
    assert found.v1 == {"cpu": "/sys/fs/cgroup/cpu", "memory": "/sys/fs/cgroup/memory"}
    assert [found.version(each) for each in ("memory", "hugetlb", "pids")] == [1, 2, 0]


def test_legacy_controllers_that_share_a_mount() -> None:
    found = parse(LEGACY, "")
    assert not found.v2
    assert found.v1["cpu"] == found.v1["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert found.version("io") == 1, "v1 calls it blkio"
    assert not any("systemd" in place for place in found.v1.values())


def test_none() -> None:
    found = parse("24 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n", "")
    assert found == Layout()


def test_inside_a_container_paths_are_below_the_mount_point() -> None:
    found = parse(IN_A_CONTAINER, "")
    assert found.v1["memory"] == "/sys/fs/cgroup/memory"
    assert found.v1["cpu"] == "/sys/fs/cgroup/my tree"


def test_the_first_mount_of_a_hierarchy_counts() -> None:
    again = PURE_V2 + "90 24 0:25 / /srv/rootfs/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    assert parse(again, "memory").v2 == "/sys/fs/cgroup"


def test_this_host_as_any_user_sees_it() -> None:
    found = layout()
    for place in (found.v2, *found.v1.values()):
        assert not place or place.startswith("/")
