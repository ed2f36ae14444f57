"""What a container shall be: the OCI runtime specification as frozen values.

Free to every layer, for isolation/ and network/ read it and container/ makes
it. This is the inner language of minirun: an image and flags become a ``Spec``
(container/options.py), and so will a pod's member and a CRI request; the plan is
made from nothing else. The fields keep OCI's own names, so that the file can
be read beside https://github.com/opencontainers/runtime-spec/blob/main/config.md
and config-linux.md, in that order.
"""

from __future__ import annotations

from minirun.values import Value


class Root(Value):
    """config.md, "Root". ``layers`` and the directories are minirun's own words."""

    path: str = ""
    """Where the root file system is mounted, on the host."""
    readonly: bool = False
    layers: tuple[str, ...] = ()
    """Directories of the unpacked layers, the lowest first; read-only, shared."""
    upperdir: str = ""
    workdir: str = ""
    volatile: bool = False
    """The upperdir need not survive a power cut (overlayfs' ``volatile``)."""


class IDMapping(Value):
    """config-linux.md, "User namespace mappings"."""

    containerID: int
    hostID: int
    size: int


class Mount(Value):
    """config.md, "Mounts". ``options`` are mount(8)'s words: ro, rbind, rprivate ..."""

    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()


class User(Value):
    """config.md, "User"."""

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additionalGids: tuple[int, ...] = ()


class Capabilities(Value):
    """config.md, "Linux Process": five sets of names such as ``CAP_KILL``."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class Rlimit(Value):
    """config.md, "POSIX process". ``type`` as in getrlimit(2): RLIMIT_NOFILE."""

    type: str
    soft: int
    hard: int


class Box(Value):
    """The size of the terminal in characters."""

    height: int = 0
    width: int = 0


class Process(Value):
    """config.md, "Process": the program and what it may."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    terminal: bool = False
    consoleSize: Box | None = None
    user: User = User()
    rlimits: tuple[Rlimit, ...] = ()
    capabilities: Capabilities = Capabilities()
    noNewPrivileges: bool = True
    oomScoreAdj: int | None = None
    apparmorProfile: str = ""


class Namespace(Value):
    """config-linux.md, "Namespaces". With ``path`` it is joined, else made new.

    ``type`` is one of mount, uts, ipc, pid, network, user, cgroup, time; one
    that is not in the list is the host's.
    """

    type: str
    path: str = ""


class TimeOffset(Value):
    """config-linux.md, "Offset for Time Namespace"."""

    secs: int = 0
    nanosecs: int = 0


class Device(Value):
    """config-linux.md, "Devices": a node to make. ``type`` is c, b, u or p."""

    path: str
    type: str
    major: int = 0
    minor: int = 0
    fileMode: int = 0o666
    uid: int = 0
    gid: int = 0


class DeviceRule(Value):
    """config-linux.md, "Allowed Device list"; None stands for every number."""

    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


class Memory(Value):
    """config-linux.md, "Memory"; bytes, -1 for unlimited, None for unset."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    """Memory plus swap, as in cgroup v1 and docker's --memory-swap."""
    disableOOMKiller: bool = False


class Cpu(Value):
    """config-linux.md, "CPU"; quota and period in microseconds."""

    shares: int | None = None
    quota: int | None = None
    period: int | None = None
    cpus: str = ""
    mems: str = ""


class Pids(Value):
    """config-linux.md, "PIDs"; -1 is unlimited."""

    limit: int


class ThrottleDevice(Value):
    """config-linux.md, "Block IO": ``rate`` in bytes or operations a second."""

    major: int
    minor: int
    rate: int


class BlockIO(Value):
    """config-linux.md, "Block IO"; ``weight`` from 10 to 1000."""

    weight: int | None = None
    throttleReadBpsDevice: tuple[ThrottleDevice, ...] = ()
    throttleWriteBpsDevice: tuple[ThrottleDevice, ...] = ()
    throttleReadIOPSDevice: tuple[ThrottleDevice, ...] = ()
    throttleWriteIOPSDevice: tuple[ThrottleDevice, ...] = ()


class Resources(Value):
    """config-linux.md, "Control groups". ``unified`` is written to v2 as it is."""

    devices: tuple[DeviceRule, ...] = ()
    memory: Memory = Memory()
    cpu: Cpu = Cpu()
    pids: Pids | None = None
    blockIO: BlockIO = BlockIO()
    unified: dict[str, str] = {}


class SyscallArg(Value):
    """config-linux.md, "Seccomp": a condition on an argument of a call."""

    index: int
    value: int
    op: str
    valueTwo: int = 0


class SyscallRule(Value):
    """config-linux.md, "Seccomp": what is done to some calls."""

    names: tuple[str, ...]
    action: str
    errnoRet: int | None = None
    args: tuple[SyscallArg, ...] = ()


class Seccomp(Value):
    """config-linux.md, "Seccomp"."""

    defaultAction: str
    defaultErrnoRet: int | None = None
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    listenerPath: str = ""
    listenerMetadata: str = ""
    syscalls: tuple[SyscallRule, ...] = ()
    profile: str = ""
    """minirun's own word: ``default`` stands for our own profile, whose rules
    depend on the capabilities and are not written out (isolation/syscall_filter)."""


class Linux(Value):
    """config-linux.md."""

    namespaces: tuple[Namespace, ...] = ()
    uidMappings: tuple[IDMapping, ...] = ()
    gidMappings: tuple[IDMapping, ...] = ()
    timeOffsets: dict[str, TimeOffset] = {}
    devices: tuple[Device, ...] = ()
    cgroupsPath: str = ""
    """Below each hierarchy, such as ``/minirun/ID``."""
    resources: Resources = Resources()
    rootfsPropagation: str = "private"
    seccomp: Seccomp | None = None
    sysctl: dict[str, str] = {}
    maskedPaths: tuple[str, ...] = ()
    readonlyPaths: tuple[str, ...] = ()


class Resolver(Value):
    """minirun's own: what --dns, --dns-search and --dns-option have asked for."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Endpoint(Value):
    """minirun's own: how a container is on one network, by a veth pair, a macvlan or CNI's plugins.

    ``addresses`` have their prefix length (10.88.0.2/16), ``gateways`` are one of a family; ``mtu``
    is in bytes. On a CNI network mac and addresses are what the user asks the plugins for, if anything.
    """

    network: str
    driver: str = "bridge"  # or macvlan, or cni
    bridge: str = ""
    """The host's bridge; of a macvlan the interface that it sits on."""
    interface: str = "eth0"
    host_interface: str = ""  # the host's end of the veth pair
    mac: str = ""
    mtu: int = 1500
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    resolver: Resolver | None = None  # on a CNI network, whose own servers count where this names none


class Port(Value):
    """minirun's own: a port of the host's that leads to the container's; no ``host_address`` is any."""

    protocol: str = "tcp"
    """``tcp``, ``udp`` or ``sctp``."""
    host_address: str = ""
    host_port: int = 0
    """0 is still to be chosen (network/ports.py)."""
    host_port_end: int = 0
    """To be chosen, too: from ``host_port`` up to this one."""
    port: int = 0


class Spec(Value):
    """config.md: one container."""

    ociVersion: str = "1.2.0"
    id: str = ""
    """minirun's own word: the container's id, 64 hexadecimal digits."""
    root: Root = Root()
    mounts: tuple[Mount, ...] = ()
    process: Process
    hostname: str = ""
    domainname: str = ""
    annotations: dict[str, str] = {}
    linux: Linux = Linux()
    endpoints: tuple[Endpoint, ...] = ()
    """minirun's own: the networks that it is on, the one with the default route first."""
    ports: tuple[Port, ...] = ()
