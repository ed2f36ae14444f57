"""What a user asks of a container: the flags of ``run``, as one frozen value.

The command line (cli/flags.py) and the Python API both make ``Options``; the
fields bear docker's names. Nothing here was looked up: an image is a name, a
container to join is a name. ``specify.py`` turns Options, with an image, into
the OCI Spec; read it next.
"""

from __future__ import annotations

from minirun.container import network_words
from minirun.errors import UsageError
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator


class Options(Value):
    """Everything that ``run`` and ``create`` can be told.

    Sizes are bytes, ``stop_timeout`` is seconds, ``cpus`` is a number of CPUs,
    a rate is a device's path and a number each second, ``time_offset`` is
    seconds, None is "not said". ``volume``, ``mount``, ``tmpfs``, ``device``,
    ``ulimit`` and ``security_opt`` hold the user's words, which the layer that
    keeps the promise reads.
    """

    image: str = ""
    command: tuple[str, ...] = ()

    # How it is started and watched.
    name: str = ""
    runtime: str = ""
    """The OCI runtime that makes it, by name or path (oci/runtime.py); empty is minirun."""
    detach: bool = False
    rm: bool = False
    interactive: bool = False
    tty: bool = False
    attach: tuple[str, ...] = ()
    sig_proxy: bool = True
    cidfile: str = ""
    trace: str = ""
    stop_signal: int | None = None
    stop_timeout: int | None = None
    label: dict[str, str] = {}
    annotation: dict[str, str] = {}

    # The program.
    entrypoint: str | None = None
    env: tuple[str, ...] = ()
    workdir: str = ""
    user: str = ""
    group_add: tuple[str, ...] = ()
    umask: int | None = None
    init: bool = False
    hostname: str = ""
    domainname: str = ""

    # Its files.
    volume: tuple[str, ...] = ()
    mount: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ()
    read_only: bool = False
    shm_size: int | None = None
    device: tuple[str, ...] = ()

    # What it sees of the system: a new namespace, another's, or the host's.
    pod: str = ""
    """The pod to join (pod/join.py): it fills in the namespaces and the cgroup."""
    network: tuple[str, ...] = ()
    """none, host, container:NAME or ns:PATH; or networks (network_words.py); empty is the usual."""
    publish: tuple[str, ...] = ()
    publish_all: bool = False
    network_alias: tuple[str, ...] = ()
    ip: str = ""
    ip6: str = ""
    mac_address: str = ""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_option: tuple[str, ...] = ()
    add_host: tuple[str, ...] = ()
    ipc: str = "private"
    uts: str = "private"
    pid: str = "private"
    userns: str = "host"
    cgroupns: str = "private"
    time: str = "host"
    time_offset: float = 0.0

    # What it may.
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctl: dict[str, str] = {}
    ulimit: tuple[str, ...] = ()
    oom_score_adj: int | None = None

    # What it gets.
    memory: int | None = None
    memory_swap: int | None = None
    memory_reservation: int | None = None
    oom_kill_disable: bool = False
    cpus: float | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids_limit: int | None = None
    blkio_weight: int | None = None
    device_read_bps: tuple[tuple[str, int], ...] = ()
    device_write_bps: tuple[tuple[str, int], ...] = ()
    device_read_iops: tuple[tuple[str, int], ...] = ()
    device_write_iops: tuple[tuple[str, int], ...] = ()
    cgroup_parent: str = ""

    @property
    def network_mode(self) -> str:
        """none, host, container:NAME or ns:PATH; empty for a container that is on networks."""
        return self.network[0] if self.network and network_words.is_mode(self.network[0]) else ""


class ExecOptions(Value):
    """Everything that ``exec`` can be told."""

    container: str = ""
    command: tuple[str, ...] = ()
    detach: bool = False
    interactive: bool = False
    tty: bool = False
    env: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    privileged: bool = False
    trace: str = ""


class AttachOptions(Value):
    """Everything that ``attach`` can be told."""

    container: str = ""
    no_stdin: bool = False
    sig_proxy: bool = True


class StartOptions(Value):
    """Everything that ``start`` can be told."""

    containers: tuple[str, ...] = ()
    attach: bool = False
    interactive: bool = False


def check(options: Options) -> None:
    """Refuses what contradicts itself, as docker does. Raises UsageError."""
    for wrong, what, why, remedy in _contradictions(options):
        if wrong:
            raise UsageError(what, why, remedy)


def _contradictions(o: Options) -> tuple[tuple[bool, str, str, str], ...]:
    named = bool(o.hostname or o.domainname)
    return (
        (
            o.detach and bool(o.attach),
            "--detach and --attach contradict each other",
            "a detached container has nobody watching its streams",
            "leave one out",
        ),
        (
            named and o.uts != "private",
            f"--hostname and --uts {o.uts} contradict each other",
            "the name belongs to the UTS namespace, and that one is not the container's own",
            "leave one out",
        ),
        (
            named and o.network_mode.startswith("container:"),
            f"--hostname and --network {o.network_mode} contradict each other",
            "who shares another container's network goes by that container's name",
            "leave one out",
        ),
        (
            o.privileged and o.userns != "host",
            f"--privileged and --userns {o.userns} contradict each other",
            "in a user namespace the capabilities hold for that namespace only",
            "leave one out",
        ),
        (
            o.shm_size is not None and o.ipc not in ("private", "shareable"),
            f"--shm-size and --ipc {o.ipc} contradict each other",
            "only a container with an IPC namespace of its own gets a /dev/shm to size",
            "leave one out",
        ),
        *_contradicting_networks(o),
        *_contradicting_limits(o),
    )


def _contradicting_networks(o: Options) -> Iterator[tuple[bool, str, str, str]]:
    alone = network_words.contradicting_modes(o.network)
    yield (
        bool(alone),
        f"--network {alone} and another --network contradict each other",
        "it says which network namespace there is; networks are for one of the container's own",
        "leave one out",
    )
    if not o.network_mode:
        return
    asked = {
        "--publish": o.publish,
        "--publish-all": o.publish_all,
        "--network-alias": o.network_alias,
        "--ip": o.ip,
        "--ip6": o.ip6,
        "--mac-address": o.mac_address,
    }
    lends_files = o.network_mode.startswith("container:")
    if lends_files:
        asked |= {
            "--dns": o.dns,
            "--dns-search": o.dns_search,
            "--dns-option": o.dns_option,
            "--add-host": o.add_host,
        }
    for flag, value in asked.items():
        yield (
            bool(value),
            f"{flag} and --network {o.network_mode} contradict each other",
            "who shares another container's network shares its names, too"
            if lends_files
            else "it is for a container that is on a network of minirun's",
            "leave one out, or name a network of `minirun network ls`",
        )


def _contradicting_limits(o: Options) -> tuple[tuple[bool, str, str, str], ...]:
    unlimited = o.memory is None
    swap = o.memory_swap or 0
    return (
        (
            o.memory_swap is not None and unlimited,
            "--memory-swap needs --memory",
            "it limits memory and swap together, so memory alone needs a limit too",
            "add --memory",
        ),
        (
            0 < swap < (o.memory or 0),
            "--memory-swap is below --memory",
            "it counts memory and swap together",
            "give at least as much as --memory, or -1 for no limit",
        ),
        (
            not unlimited and (o.memory_reservation or 0) > (o.memory or 0),
            "--memory-reservation is above --memory",
            "a reservation is what the container keeps under pressure, within its limit",
            "give at most as much as --memory",
        ),
        (
            o.oom_kill_disable and unlimited,
            "--oom-kill-disable needs --memory",
            "without a limit the container could take all memory, and nothing would stop it",
            "add --memory",
        ),
        (
            o.cpus is not None and (o.cpu_period is not None or o.cpu_quota is not None),
            "--cpus and --cpu-period or --cpu-quota contradict each other",
            "--cpus is a quota in a period of 100000 microseconds",
            "leave one out",
        ),
    )
