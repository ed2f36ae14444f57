"""/dev: the few devices that every program expects, and those that were asked for.

Layer ``isolation``. The nodes are made in the container's own tmpfs, so the
host's /dev is not seen at all. A node is a name; whether it may be opened is up
to the devices controller, whose rules are here too as data
(``isolation/cgroups`` writes them). See null(4), random(4), tty(4), pts(4),
mknod(2); config-linux.md, "Default Devices". Read ``privileges.py`` next.
"""

from __future__ import annotations

import os
import stat

from minirun.errors import NotFound, UsageError
from minirun.linux import device, mountpoint, path
from minirun.spec import Device, DeviceRule, Spec
from minirun.steps import Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOTFS = Ref(name="rootfs")

#: The numbers are the kernel's: Documentation/admin-guide/devices.txt.
STANDARD = (
    Device(path="/dev/null", type="c", major=1, minor=3),
    Device(path="/dev/zero", type="c", major=1, minor=5),
    Device(path="/dev/full", type="c", major=1, minor=7),
    Device(path="/dev/random", type="c", major=1, minor=8),
    Device(path="/dev/urandom", type="c", major=1, minor=9),
    Device(path="/dev/tty", type="c", major=5, minor=0),
)

_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
)

#: Nothing, but: making any node (without the right to open it), the standard
#: devices, and terminals.
DEVICE_RULES = (
    DeviceRule(allow=False, type="a", access="rwm"),
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(DeviceRule(allow=True, type="c", major=node.major, minor=node.minor) for node in STANDARD),
    DeviceRule(allow=True, type="c", major=136),  # /dev/pts/*
    DeviceRule(allow=True, type="c", major=5, minor=1),  # /dev/console
    DeviceRule(allow=True, type="c", major=5, minor=2),  # /dev/ptmx
)

#: A privileged container's.
ALL_DEVICES = (DeviceRule(allow=True, type="a", access="rwm"),)


def steps(spec: Spec) -> Iterator[Step]:
    """The nodes and links of /dev, unless the host's own /dev is mounted there."""
    if _is_bound(spec):
        return
    extra = {node.path: node for node in spec.linux.devices}
    nodes = [node for node in STANDARD if node.path not in extra] + list(extra.values())
    borrowed = any(namespace.type == "user" for namespace in spec.linux.namespaces)
    yield Step(
        "make the devices",
        *(_node(node, borrowed) for node in nodes),
        why="in a user namespace nobody may make a device: the host's are bound"
        if borrowed
        else "programs expect the standard ones"
        + ("; the others were asked for" if extra else ", and no other device of the host is here"),
        chapter="03",
    )
    yield Step(
        "link the streams",
        *(Call(path.make_symlink, _ROOTFS, target, link) for link, target in _LINKS),
        why="/dev/stdin and its like are whatever the process has open",
        chapter="03",
    )


def console(terminal: Ref) -> Iterator[Step]:
    """Puts the container's terminal at /dev/console. To be done after ``pivot``.

    ``terminal`` is the open slave. It is mounted by its descriptor, and looked
    at again: paths of it could be swapped by one who shares a volume with us.
    """
    tree = Ref(name="console")
    yield Step(
        "pick up the terminal",
        Call(device.pick_up_terminal, terminal),
        why="as a mount, from the open descriptor: no path is walked (CVE-2025-52565)",
        result=tree.name,
        chapter="10",
    )
    yield Step(
        "mount /dev/console",
        Call(mountpoint.attach_in, tree, _ROOTFS, "/dev/console"),
        Call(device.check_same, _ROOTFS, "/dev/console", terminal),
        why="init programs write to the console: it is this terminal",
        chapter="10",
    )


def _node(node: Device, borrowed: bool) -> Call:
    if borrowed and node.type != "p":
        return Call(device.bind_node, _ROOTFS, node.path, node.type, node.major, node.minor)
    numbers = (node.major, node.minor, node.fileMode, node.uid, node.gid)
    return Call(device.make_node, _ROOTFS, node.path, node.type, *numbers)


def _is_bound(spec: Spec) -> bool:
    return any(
        mount.destination.rstrip("/") == "/dev"
        and (mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options)
        for mount in spec.mounts
    )


def host_device(text: str) -> tuple[tuple[Device, ...], tuple[DeviceRule, ...]]:
    """``--device /dev/x[:/dev/y[:rwm]]``: the nodes to make and the rules to allow them.

    A directory stands for the devices in it. Looks at the host's nodes; raises
    UsageError for the words, NotFound for the device.
    """
    source, target, access = _split(text)
    try:
        found = os.stat(source)
    except OSError as error:
        raise NotFound(
            f"there is no device {source}", os.strerror(error.errno or 0), "look at `ls -l /dev`"
        ) from error
    if stat.S_ISDIR(found.st_mode):
        pairs = [(place, target + place[len(source) :]) for place in _below(source)]
        if not pairs:
            raise NotFound(f"there is no device in {source}", "", "look at `ls -l /dev`")
    else:
        pairs = [(source, target)]
    nodes = tuple(_describe(place, inside) for place, inside in pairs)
    rules = tuple(
        DeviceRule(allow=True, type=node.type, major=node.major, minor=node.minor, access=access)
        for node in nodes
    )
    return nodes, rules


def host_devices() -> tuple[Device, ...]:
    """All of the host's devices, for a privileged container; terminals are not among them."""
    own = ("/dev/pts/", "/dev/shm/", "/dev/mqueue/", "/dev/fd/")
    mine = {node.path for node in STANDARD} | {"/dev/console", "/dev/ptmx", "/dev/tty"}
    return tuple(
        _describe(place, place) for place in _below("/dev") if place not in mine and not place.startswith(own)
    )


def _split(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    source, target, access = parts[0], parts[0], "rwm"
    if len(parts) == 2:
        if parts[1].startswith("/"):
            target = parts[1]
        else:
            access = parts[1]
    elif len(parts) == 3:
        target, access = parts[1], parts[2]
    proper = access and set(access) <= set("rwm") and len(set(access)) == len(access)
    if len(parts) > 3 or not source.startswith("/") or not target.startswith("/") or not proper:
        raise UsageError(
            f"--device {text} is not understood",
            "it is /dev/ON-THE-HOST[:/dev/IN-THE-CONTAINER][:rwm], r for read, w for write, m for mknod",
            "for example --device /dev/fuse",
        )
    return source.rstrip("/") or "/", target.rstrip("/") or "/", access


def _below(directory: str) -> list[str]:
    """The device nodes below ``directory``; links are not followed."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += _below(entry.path)
            elif stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) in (stat.S_IFCHR, stat.S_IFBLK):
                found.append(entry.path)
    return sorted(found)


def _describe(place: str, inside: str) -> Device:
    found = os.stat(place)
    kind = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        raise UsageError(f"{place} is not a device", "it is another kind of file", "mount files with -v")
    return Device(
        path=inside,
        type=kind,
        major=os.major(found.st_rdev),
        minor=os.minor(found.st_rdev),
        fileMode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
    )
