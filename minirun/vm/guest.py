"""What the guest's first process shall do, as a list: mount this, be called that, run it.

Layer ``vm``, pure. The same thought as a container's plan, on the other side of
the wall: the host decides, ``native/guest.c`` carries out one operation after
the other. Each is its name and its arguments (``native/guest_operations.h``); a
name that begins with "?" may fail. Read ``session.py`` next, which sends it.
"""

from __future__ import annotations

from minirun.isolation import rlimits
from minirun.linux.mount import MountFlag
from minirun.values import TYPE_CHECKING
from minirun.vm import machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minirun.spec import Process
    from minirun.vm.share import Volume

    Operation = tuple[str, ...]

#: 9p: loose keeps what was read, for nobody else writes to an image; a volume
#: is the host's as well, so there only a mapped file is kept.
_SHARE = "trans=virtio,version=9p2000.L,msize=512000,"
_IMAGE = f"{_SHARE}access=any,cache=loose"
#: For each user a session of its own: what one makes there is that one's, on the host too.
_VOLUME = f"{_SHARE}access=user,cache=mmap"
#: Where the volumes are until each is at its place: /dev moves along with the root.
_VOLUMES = "/dev/.volumes"
_BIND, _READ_ONLY = MountFlag.BIND, MountFlag.REMOUNT | MountFlag.BIND | MountFlag.RDONLY


def operations(
    process: Process,
    hostname: str,
    volumes: Sequence[Volume],
    network: bool,
    seed: bytes,
    now: int,
    window: tuple[int, int] = (0, 0),
) -> Iterator[Operation]:
    """Everything, from a machine that has just booted to the program.

    ``seed`` is randomness for the guest's kernel, ``now`` nanoseconds since
    1970, ``window`` the rows and columns of the terminal.
    """
    # First of all: a restored machine believes it is still the moment of its making.
    yield "seed", seed.hex()
    yield "time", str(now // 10**9), str(now % 10**9)
    yield from _root(volumes)
    yield "mark", "root"
    yield from _mounts(volumes)
    yield "hostname", hostname
    yield from _network(network)
    yield from _program(process, window)


def encode(operations: Iterable[Operation]) -> bytes:
    """The list as it is sent: strings, each with a zero byte behind it."""
    return b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for words in operations for word in words)


def _mount(
    source: str, target: str, kind: str, flags: int = 0, data: str = "", optional: bool = False
) -> Operation:
    return ("?mount" if optional else "mount", source, target, kind, str(int(flags)), data)


def _root(volumes: Sequence[Volume]) -> Iterator[Operation]:
    """An overlay, as a container's; its upper layer is the guest's own memory."""
    for place in ("/lower", "/top", "/root"):
        yield "mkdir", place
    yield _mount("root", "/lower", "9p", MountFlag.RDONLY, _IMAGE)
    yield _mount("tmpfs", "/top", "tmpfs", 0, "mode=755")
    for place in ("/top/upper", "/top/work"):
        yield "mkdir", place
    layers = "lowerdir=/lower,upperdir=/top/upper,workdir=/top/work"
    yield _mount("overlay", "/root", "overlay", 0, layers)
    if volumes:
        yield "mkdir", _VOLUMES
        yield _mount("volumes", _VOLUMES, "9p", 0, _VOLUME)
    yield "root", "/root"


def _mounts(volumes: Sequence[Volume]) -> Iterator[Operation]:
    for place in ("/dev/pts", "/dev/shm", "/dev/mqueue"):
        yield "mkdir", place
    yield _mount(
        "devpts", "/dev/pts", "devpts", MountFlag.NOSUID | MountFlag.NOEXEC, "ptmxmode=666,mode=620,gid=5"
    )
    yield _mount("shm", "/dev/shm", "tmpfs", MountFlag.NOSUID | MountFlag.NODEV, "mode=1777")
    yield _mount("mqueue", "/dev/mqueue", "mqueue", MountFlag.NOSUID | MountFlag.NODEV, optional=True)
    yield _mount(
        "cgroup2", "/sys/fs/cgroup", "cgroup2", MountFlag.NOSUID | MountFlag.NODEV | MountFlag.NOEXEC
    )
    for name, path in (("securityfs", "security"), ("debugfs", "debug"), ("tracefs", "tracing")):
        yield _mount(name, f"/sys/kernel/{path}", name, optional=True)
    for name, target in ("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2"):
        yield "?symlink", f"/proc/self/fd{target}", f"/dev/{name}"
    for volume in volumes:
        yield from _volume(volume)
    if volumes:
        yield "unmount", _VOLUMES


def _volume(volume: Volume) -> Iterator[Operation]:
    if volume.kind == "tmpfs":
        yield "mkdir", volume.target
        yield _mount("tmpfs", volume.target, "tmpfs", volume.flags, volume.data)
        return
    yield "mkdir" if volume.directory else "touch", volume.target
    yield _mount(f"{_VOLUMES}/{volume.number}", volume.target, "", _BIND)
    if volume.readonly:
        yield _mount("", volume.target, "", _READ_ONLY)


def _network(network: bool) -> Iterator[Operation]:
    yield "up", "lo"
    if network:
        yield "address", "eth0", machine.ADDRESS, machine.NETMASK
        yield "gateway", machine.GATEWAY
        yield "mkdir", "/etc"
        yield "write", "/etc/resolv.conf", f"nameserver {machine.NAMESERVER}\n"


def _program(process: Process, window: tuple[int, int]) -> Iterator[Operation]:
    yield "mkdir", process.cwd
    yield "cwd", process.cwd
    for limit in process.rlimits:
        yield "rlimit", str(int(rlimits.which(limit))), str(limit.soft), str(limit.hard)
    if process.terminal:
        yield "tty", str(window[0]), str(window[1])
    if process.user.umask is not None:
        yield "umask", oct(process.user.umask)[2:]
    yield "user", str(process.user.uid), str(process.user.gid)
    for group in process.user.additionalGids:
        yield "group", str(group)
    for word in process.args:
        yield "arg", word
    for word in process.env:
        yield "env", word
    yield ("exec",)
