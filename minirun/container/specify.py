"""From what was asked, and an image, to the OCI Spec: docker's rules, in one place.

Layer ``container``. Pure but for looks at files that anyone may read (a seccomp
profile, a device's number, the image's /etc/passwd). Here are the program and
its namespaces; what it sees of files is in ``specify_mounts.py``, what it may in
``specify_privileges.py``, what it gets in ``specify_resources.py``. Read
``plan.py`` next, which makes steps of a Spec.
"""

from __future__ import annotations

import os

from minirun.container import program, specify_mounts, specify_privileges, specify_resources
from minirun.container.options import Options, check
from minirun.container.specify_mounts import Lent, anonymous_volumes, lend
from minirun.errors import UsageError
from minirun.image import lookup
from minirun.isolation import rlimits
from minirun.spec import IDMapping, Linux, Namespace, Process, Root, Spec, TimeOffset, User
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minirun.container.name_files import Wired
    from minirun.image.config import ImageConfig

__all__ = ["Lent", "anonymous_volumes", "lend", "spec_of"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: How many ids a user namespace of its own gets.
IDS = 65536
#: What a container with a network of its own gets, unless its user says otherwise.
USUAL_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


def spec_of(
    options: Options,
    image: ImageConfig,
    id: str,
    lent: Lent,
    pid_of: Callable[[str], int],
    wired: Wired | None = None,
) -> Spec:
    """The Spec of the container ``id``. ``wired`` is what it got of its networks.

    ``pid_of`` gives the pid of a running container by its name, to share its
    namespaces. Raises UsageError for words that contradict each other, and
    what the readers of the single parts raise.
    """
    check(options)
    hostname = _hostname(options, id)
    process = _process(options, image, hostname, lent)
    privileges = specify_privileges.privileges_of(options, process.user.uid)
    nodes, rules = specify_mounts.devices_of(options)
    mappings = _mappings(options, lent)
    mounts = specify_mounts.mounts_of(options, image, id, lent, _shm(options, pid_of))
    if wired:
        taken = {mount.destination for mount in mounts}
        mounts += tuple(mount for mount in wired.mounts if mount.destination not in taken)
    return Spec(
        id=id,
        root=Root(
            path=lent.rootfs,
            readonly=options.read_only,
            layers=lent.layers,
            upperdir=lent.upperdir,
            workdir=lent.workdir,
            volatile=options.rm,
        ),
        mounts=mounts,
        process=replace(
            process,
            capabilities=privileges.capabilities,
            noNewPrivileges=privileges.no_new_privileges,
            apparmorProfile=privileges.apparmor,
        ),
        hostname=hostname,
        domainname=options.domainname,
        annotations=options.annotation,
        linux=Linux(
            namespaces=tuple(_namespaces(options, pid_of)),
            uidMappings=mappings,
            gidMappings=mappings,
            timeOffsets=_time_offsets(options),
            devices=nodes,
            cgroupsPath=f"{options.cgroup_parent.rstrip('/') or '/minirun'}/{id}",
            resources=specify_resources.resources_of(options, rules),
            seccomp=privileges.seccomp,
            sysctl={**_sysctls(options), **options.sysctl},
            maskedPaths=privileges.masked,
            readonlyPaths=privileges.readonly,
        ),
        endpoints=wired.endpoints if wired else (),
        ports=wired.ports if wired else (),
    )


def _process(options: Options, image: ImageConfig, hostname: str, lent: Lent) -> Process:
    who = lookup.user(lent.layers, options.user or image.user)
    args = _args(options, image)
    return Process(
        args=(program.INIT, *args) if options.init else args,
        env=_env(options.env, image.env, hostname, options.tty, who.home),
        cwd=_absolute(options.workdir or image.workdir or "/"),
        terminal=options.tty,
        user=User(
            uid=who.uid,
            gid=who.gid,
            umask=options.umask,
            additionalGids=_groups(who.additional_gids, options.group_add, lent.layers),
        ),
        rlimits=rlimits.parse(options.ulimit),
        oomScoreAdj=options.oom_score_adj,
    )


def _args(options: Options, image: ImageConfig) -> tuple[str, ...]:
    """Entrypoint and command: who replaces the entrypoint drops the image's command too."""
    if options.entrypoint is None:
        args = image.entrypoint + (options.command or image.cmd)
    else:
        args = ((options.entrypoint,) if options.entrypoint else ()) + options.command
    if not args or not args[0]:
        raise UsageError(
            "there is no command to run",
            f"none was given, and the image {options.image} has none of its own"
            if options.entrypoint is None
            else "--entrypoint takes the place of the image's command as well",
            f"name it behind the image: minirun run {options.image} COMMAND",
        )
    return args


def _env(asked: Sequence[str], image: Sequence[str], hostname: str, tty: bool, home: str) -> tuple[str, ...]:
    """docker's: a few defaults, the image's variables, the asked ones; the later wins."""
    defaults = [f"PATH={DEFAULT_PATH}", f"HOSTNAME={hostname or os.uname().nodename}"]
    defaults += ["TERM=xterm"] if tty else []
    found: dict[str, str] = {}
    for word in (*defaults, *image, *asked):
        name, _, value = word.partition("=")
        found[name] = value
    found.setdefault("HOME", home or "/")
    return tuple(f"{name}={value}" for name, value in found.items())


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise UsageError(
            f"the working directory {path!r} is not an absolute path",
            "there is nothing yet that it could be relative to",
            "begin it with /",
        )
    return path


def _groups(own: Sequence[int], added: Sequence[str], layers: Sequence[str]) -> tuple[int, ...]:
    more = [lookup.group(layers, name) for name in added]
    return tuple(dict.fromkeys([*own, *more]))


def _hostname(options: Options, id: str) -> str:
    """The short id, unless it was given; none where the name is another's to choose."""
    return (options.hostname or id[:12]) if options.uts == "private" else ""


#: The spec's kind of namespace -> its file in /proc/PID/ns.
_FILES = {"uts": "uts", "ipc": "ipc", "pid": "pid", "network": "net", "user": "user", "cgroup": "cgroup"}


def _namespaces(options: Options, pid_of: Callable[[str], int]) -> Iterator[Namespace]:
    """The list of the Spec, in which the host's namespaces are the ones left out."""
    yield Namespace(type="mount")
    wishes = {
        "uts": options.uts,
        "ipc": options.ipc,
        "pid": options.pid,
        "network": options.network_mode or "private",
        "user": options.userns,
        "cgroup": options.cgroupns,
    }
    for kind, wish in wishes.items():
        how, _, name = wish.partition(":")
        if how == "container":
            yield Namespace(type=kind, path=f"/proc/{pid_of(name)}/ns/{_FILES[kind]}")
        elif how == "ns":
            yield Namespace(type=kind, path=name)
        elif how != "host":  # private, none, shareable, auto
            yield Namespace(type=kind)
    if options.time == "private" or options.time_offset:
        yield Namespace(type="time")


def _sysctls(options: Options) -> dict[str, str]:
    """docker's, where the network is the container's own: every user may bind low ports, and ping."""
    if options.network_mode not in ("", "none") or options.userns != "host":
        return {}
    return dict(USUAL_SYSCTLS)


def _shm(options: Options, pid_of: Callable[[str], int]) -> str:
    """POSIX shared memory is files in /dev/shm: it is shared like the rest of an IPC namespace."""
    how, _, name = options.ipc.partition(":")
    return f"/proc/{pid_of(name)}/root/dev/shm" if how == "container" else "/dev/shm"


def _mappings(options: Options, lent: Lent) -> tuple[IDMapping, ...]:
    if options.userns not in ("private", "auto"):
        return ()
    return (IDMapping(containerID=0, hostID=lent.first_id, size=IDS),)


def _time_offsets(options: Options) -> dict[str, TimeOffset]:
    """Shifts both clocks that a time namespace has; nanoseconds count forward, always."""
    if not options.time_offset:
        return {}
    seconds = int(options.time_offset // 1)
    nanoseconds = int((options.time_offset - seconds) * 1e9)
    offset = TimeOffset(secs=seconds, nanosecs=nanoseconds)
    return {"monotonic": offset, "boottime": offset}
