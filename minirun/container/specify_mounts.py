"""Part of ``specify.py``: the container's files, from /proc to the last volume.

The order of the list is the order of mounting: the defaults, then what was
asked for (``volumes.py``), so that nothing covers what lies in it.
"""

from __future__ import annotations

from minirun import native
from minirun.container.options import Options
from minirun.container.program import INIT
from minirun.isolation import devices
from minirun.isolation.mounts.defaults import default_mounts
from minirun.isolation.mounts.options import VOLUME
from minirun.spec import Device, DeviceRule, Mount, Spec
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from minirun.container.state import Home
    from minirun.container.volume_words import Volume
    from minirun.image.config import ImageConfig

SHM_SIZE = 64 << 20


class Lent(Value):
    """What the host lends to one container: directories, a program, ids."""

    layers: tuple[str, ...] = ()
    rootfs: str = ""
    upperdir: str = ""
    workdir: str = ""
    volumes: str = ""
    """Where named volumes are kept."""
    init: str = ""
    """native/init, for --init."""
    first_id: int = 0
    """The first of 65536 free ids, for a user namespace of its own."""


def lend(home: Home, layers: tuple[str, ...], init: bool, first_id: int) -> Lent:
    """The places below the container's ``home``, and ``layers``; ``init`` as in Options.

    Raises Unsupported where minirun's own init is not compiled.
    """
    return Lent(
        layers=layers,
        rootfs=f"{home.data}/rootfs",
        upperdir=f"{home.data}/upper",
        workdir=f"{home.data}/work",
        volumes=f"{home.store.root}/volumes",
        init=native.path("init") if init else "",
        first_id=first_id,
    )


def mounts_of(
    options: Options, image: ImageConfig, id: str, lent: Lent, shm: str = "/dev/shm"
) -> tuple[Mount, ...]:
    """Everything that is mounted in the container ``id`` but its root.

    ``shm`` is the /dev/shm of whoever it shares an IPC namespace with.
    """
    asked = _asked(options, image, id, lent)
    if options.init:
        init = Mount(destination=INIT, type="bind", source=lent.init, options=("bind", "rprivate", "ro"))
        asked = (*asked, init)
    taken = {mount.destination for mount in asked}
    return (*(mount for mount in _defaults(options, shm) if mount.destination not in taken), *asked)


def _asked(options: Options, image: ImageConfig, id: str, lent: Lent) -> tuple[Mount, ...]:
    if not (options.volume or options.mount or options.tmpfs or image.volumes):
        return ()
    from minirun.container import volumes  # so that a start without any does not pay for it

    wanted = volumes.parse_all(options.volume, options.mount, options.tmpfs, image.volumes)
    named = [_named(volume, id, number) for number, volume in enumerate(wanted)]
    return volumes.mounts_of(named, lent.volumes)


def _named(volume: Volume, id: str, number: int) -> Volume:
    """An anonymous volume gets a name of 64 digits that tells whose it is."""
    if volume.kind != "volume" or volume.source:
        return volume
    return replace(volume, source=f"{id[:60]}{number:04x}")


def anonymous_volumes(spec: Spec) -> tuple[str, ...]:
    """The names of the volumes that were made for this container alone."""
    words = [mount.source.split("/")[-2] for mount in spec.mounts if VOLUME in mount.options]
    return tuple(name for name in words if len(name) == 64 and name.startswith(spec.id[:60]))


def _defaults(options: Options, shm: str) -> list[Mount]:
    """The usual ones, but what shows a namespace of the host's may be the host's too."""
    own_shm = options.ipc in ("private", "shareable")
    size = (SHM_SIZE if options.shm_size is None else options.shm_size) if own_shm else 0
    found = list(default_mounts(options.privileged, size))
    if options.ipc == "host" or options.ipc.startswith("container:"):
        found.append(_hosts("/dev/shm", "rw", shm))
    if options.userns == "host":
        return found
    # The kernel mounts proc, sysfs and mqueue only for who owns the namespace
    # that they show (mount_namespaces(7)); of the host's, a bind must do.
    borrowed = {
        "/proc": options.pid == "host",
        "/sys": options.network_mode == "host" or options.network_mode.startswith("ns:"),
        "/dev/mqueue": options.ipc == "host",
    }
    return [
        _hosts(mount.destination, "rro" if mount.destination == "/sys" else "rw")
        if borrowed.get(mount.destination)
        else mount
        for mount in found
    ]


def _hosts(path: str, mode: str, source: str = "") -> Mount:
    return Mount(
        destination=path,
        type="bind",
        source=source or path,
        options=("rbind", "rprivate", "nosuid", "noexec", "nodev", mode),
    )


def devices_of(options: Options) -> tuple[tuple[Device, ...], tuple[DeviceRule, ...]]:
    """The nodes to make besides the standard ones, and who may be opened."""
    nodes: tuple[Device, ...] = devices.host_devices() if options.privileged else ()
    rules = devices.ALL_DEVICES if options.privileged else devices.DEVICE_RULES
    for word in options.device:
        more, allowed = devices.host_device(word)
        taken = {node.path for node in more}
        nodes = tuple(node for node in nodes if node.path not in taken) + more
        rules = rules if options.privileged else rules + allowed
    return nodes, rules
