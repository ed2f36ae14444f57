"""The flags of ``run`` and of the other commands that must start fast.

Names and meanings are docker's, where docker has the flag; ``table.py`` tells
how they are read. A flag fills the field of its name in a value of
``container/options.py``; read that next.
"""

from __future__ import annotations

from minirun.cli import flag_values as read
from minirun.cli.flag_values import Kind
from minirun.cli.settings import Settings
from minirun.cli.table import Flag, Table
from minirun.container import network_words
from minirun.container.options import AttachOptions, ExecOptions, Options, StartOptions


def _namespace(*choices: str, prefixes: tuple[str, ...] = ("container:",)) -> Kind:
    shown = "|".join([*choices, *(f"{prefix}NAME" for prefix in prefixes)])
    return Kind(read=read.one_of(*choices, prefixes=prefixes), metavar=shown, like=shown.replace("|", ", "))


SWITCH = Kind(read=read.boolean, metavar="", like="--flag, --flag=true or --flag=false", switch=True)
TEXT = Kind(read=read.text, metavar="TEXT", like="a text")
NAME = Kind(read=read.word, metavar="NAME", like="a name")
PATH = Kind(read=read.word, metavar="PATH", like="a path")
USER = Kind(read=read.word, metavar="USER[:GROUP]", like="names or numbers, such as 1000:1000")
GROUPS = Kind(read=read.words, metavar="GROUP", like="a group's name or number")
SIZE = Kind(read=read.size, metavar="BYTES", like="a size such as 64m or 1.5g")
MEMORY = Kind(read=read.memory_limit, metavar="BYTES", like="a size from 6m on, such as 512m or 1.5g")
SWAP = Kind(read=read.swap_limit, metavar="BYTES", like="a size such as 1g, or -1 for no limit")
CPUS = Kind(read=read.cpus, metavar="NUMBER", like="a number of CPUs such as 0.5 or 2")
SIGNAL = Kind(read=read.signal, metavar="SIGNAL", like="a signal such as TERM, SIGKILL or 9")
TIMEOUT = Kind(read=read.seconds, metavar="SECONDS", like="a time such as 10, 90s or 1m30s, or -1 for ever")
ENV = Kind(read=read.environment, metavar="NAME[=VALUE]", like="NAME=VALUE, or NAME for the caller's value")
ENV_FILE = Kind(
    read=read.environment_file, metavar="FILE", like="a readable file with a NAME=VALUE on each line"
)
LABEL = Kind(read=read.pair, metavar="NAME[=VALUE]", like="NAME=VALUE")
LABEL_FILE = Kind(read=read.label_file, metavar="FILE", like="a readable file with a NAME=VALUE on each line")
SETTING = Kind(read=read.setting, metavar="NAME=VALUE", like="NAME=VALUE")
STREAM = Kind(read=read.streams, metavar="STREAM", like="stdin, stdout or stderr")
UMASK = Kind(read=read.octal, metavar="OCTAL", like="permission bits such as 022")
OFFSET = Kind(read=read.duration, metavar="TIME", like="a time such as 90, 1h30m or -2d")
RUNTIME = Kind(read=read.word, metavar="NAME|PATH", like="a name such as runc, or a path")
TRACE = Kind(read=read.trace, metavar="[=json]", like="--trace or --trace=json", switch=True)
NETWORK = Kind(
    read=read.network,
    metavar="NETWORK|cni:NAME|none|host|container:NAME|ns:PATH",
    like="none, host, container:NAME, ns:PATH, cni:NAME, or a network of `minirun network ls`",
)


def _many(metavar: str, like: str) -> Kind:
    return Kind(read=read.words, metavar=metavar, like=like)


def _number(low: int, high: int) -> Kind:
    return Kind(read=read.between(low, high), metavar="NUMBER", like=f"a number from {low} to {high}")


PORT = _many("[ADDRESS:][HOSTPORT:]PORT[/PROTOCOL]", "8080:80, 127.0.0.1:8080:80 or 53:53/udp")
ADDRESS = Kind(read=read.word, metavar="ADDRESS", like="an address of the network's subnet")
MAC = Kind(read=network_words.mac, metavar="MAC", like="six numbers such as 02:42:ac:11:00:02")
BYTES = Kind(read=read.bytes_rate, metavar="PATH:RATE", like="a device and a rate, such as /dev/sda:10m")
OPERATIONS = Kind(
    read=read.operations_rate, metavar="PATH:RATE", like="a device and a rate, such as /dev/sda:1000"
)

STARTED = (
    Flag("-d --detach", SWITCH, "Run in the background and print the id."),
    Flag("--rm", SWITCH, "Remove the container when its program has ended."),
    Flag("--name", NAME, "A name for the container."),
    Flag("--runtime", RUNTIME, "The OCI runtime that makes it (minirun)."),
    Flag("-i --interactive", SWITCH, "Keep stdin open, even if nobody is attached."),
    Flag("-t --tty", SWITCH, "Give the program a terminal."),
    Flag("-a --attach", STREAM, "Attach to this stream only."),
    Flag("--sig-proxy", SWITCH, "Pass signals on to the program (the default)."),
    Flag("--cidfile", PATH, "Write the container's id to this file."),
    Flag("--stop-signal", SIGNAL, "What `stop` sends first."),
    Flag("--stop-timeout", TIMEOUT, "How long `stop` waits before it sends SIGKILL."),
    Flag("--label-file", LABEL_FILE, "Read labels from a file.", field="label"),
    Flag("-l --label", LABEL, "Note something on the container."),
    Flag("--annotation", SETTING, "Add an annotation to the OCI spec."),
    Flag("--trace", TRACE, "Print each system call as it happens, to stderr; =json for programs."),
)
PROGRAM = (
    Flag("--entrypoint", TEXT, "Run this instead of the image's entrypoint; an empty text clears it."),
    Flag("--env-file", ENV_FILE, "Read environment variables from a file.", field="env"),
    Flag("-e --env", ENV, "Set an environment variable."),
    Flag("-w --workdir", PATH, "The directory to start in."),
    Flag("-u --user", USER, "Whom to run as."),
    Flag("--group-add", GROUPS, "One more group to belong to."),
    Flag("--umask", UMASK, "The mode bits that new files shall lack."),
    Flag("--init", SWITCH, "Put a small init at PID 1 that reaps and forwards signals."),
    Flag("-h --hostname", NAME, "The host's name inside."),
    Flag("--domainname", NAME, "The NIS domain's name inside."),
)
FILES = (
    Flag(
        "-v --volume",
        _many("SOURCE:PATH[:OPTIONS]", "/on/the/host:/inside[:ro]"),
        "Mount a directory or a volume.",
    ),
    Flag(
        "--mount",
        _many("KEY=VALUE,...", "type=bind,source=/on/the/host,target=/inside"),
        "Mount, spelled out.",
    ),
    Flag("--tmpfs", _many("PATH[:OPTIONS]", "/path[:size=64m,mode=1777]"), "Mount an empty tmpfs."),
    Flag("--read-only", SWITCH, "Let the program write to volumes and tmpfs only."),
    Flag("--shm-size", SIZE, "The size of /dev/shm."),
    Flag(
        "--device",
        _many("PATH[:PATH[:rwm]]", "/dev/fuse or /dev/sda:/dev/xvda:r"),
        "Give access to a device.",
    ),
)
SEEN = (
    Flag("--pod", NAME, "Run it in this pod: its network, IPC, host name and limits."),
    Flag("--net --network", NETWORK, "The network it is on (minirun); again for one more."),
    Flag("-p --publish", PORT, "Lead a port of the host's to one of the container's."),
    Flag("-P --publish-all", SWITCH, "Publish what the image exposes, on free ports."),
    Flag("--network-alias", _many("NAME", "a name such as db"), "One more name on its network."),
    Flag("--ip", ADDRESS, "Its IPv4 address."),
    Flag("--ip6", ADDRESS, "Its IPv6 address."),
    Flag("--mac-address", MAC, "Its hardware address."),
    Flag("--dns", _many("ADDRESS", "an address such as 9.9.9.9"), "Ask this name server."),
    Flag("--dns-search", _many("DOMAIN", "a domain, or . for none"), "Look short names up in this domain."),
    Flag("--dns-option", _many("OPTION", "an option of resolv.conf(5)"), "Tell the resolver this."),
    Flag("--add-host", _many("NAME:ADDRESS", "db:10.0.0.7"), "One more line of /etc/hosts."),
    Flag("--ipc", _namespace("private", "shareable", "none", "host"), "The System V IPC and message queues."),
    Flag("--uts", _namespace("private", "host"), "The host name it sees."),
    Flag("--pid", _namespace("private", "host"), "The processes it sees."),
    Flag("--userns", _namespace("host", "private", "auto"), "The users and capabilities it has."),
    Flag("--cgroupns", _namespace("private", "host"), "The cgroups it sees."),
    Flag(
        "--time",
        Kind(read=read.one_of("host", "private"), metavar="host|private", like="host or private"),
        "The clocks since boot that it sees.",
    ),
    Flag("--time-offset", OFFSET, "Shift those clocks, in a time namespace of its own."),
)
MAY = (
    Flag("--privileged", SWITCH, "All capabilities and devices, no filter, nothing masked."),
    Flag("--cap-add", _many("CAP", "a capability such as NET_ADMIN, or ALL"), "Add a capability."),
    Flag("--cap-drop", _many("CAP", "a capability such as CHOWN, or ALL"), "Drop a capability."),
    Flag(
        "--security-opt",
        _many("OPTION", "seccomp=FILE.json"),
        "seccomp=, apparmor=, no-new-privileges=, mask=, unmask= ...",
    ),
    Flag("--sysctl", SETTING, "Set a kernel parameter of the container's namespaces."),
    Flag("--ulimit", _many("NAME=SOFT[:HARD]", "nofile=1024:2048"), "Set a resource limit of setrlimit(2)."),
    Flag("--oom-score-adj", _number(-1000, 1000), "How soon the OOM killer picks it."),
)
GETS = (
    Flag("-m --memory", MEMORY, "Limit its memory."),
    Flag("--memory-swap", SWAP, "Limit memory and swap together; -1 for no limit."),
    Flag("--memory-reservation", SIZE, "Memory it keeps when the host runs short."),
    Flag("--oom-kill-disable", SWITCH, "Let it wait for memory rather than be killed (cgroup v1)."),
    Flag("--cpus", CPUS, "Limit its CPU time."),
    Flag("-c --cpu-shares", _number(2, 262144), "Its weight when CPUs are short; 1024 is usual."),
    Flag("--cpu-period", _number(1000, 1000000), "The period of --cpu-quota, in microseconds."),
    Flag("--cpu-quota", _number(-1, 1 << 40), "CPU time within a period, in microseconds."),
    Flag(
        "--cpuset-cpus",
        Kind(read=read.word, metavar="CPUS", like="a list such as 0-2,4"),
        "Run on these CPUs only.",
    ),
    Flag(
        "--cpuset-mems",
        Kind(read=read.word, metavar="NODES", like="a list such as 0-1"),
        "Use these memory nodes.",
    ),
    Flag("--pids-limit", _number(-1, 1 << 22), "Limit its processes; -1 for no limit."),
    Flag("--blkio-weight", _number(10, 1000), "Its weight when disks are busy."),
    Flag("--device-read-bps", BYTES, "Limit reading from a device, bytes a second."),
    Flag("--device-write-bps", BYTES, "Limit writing to a device, bytes a second."),
    Flag("--device-read-iops", OPERATIONS, "Limit reading from a device, operations a second."),
    Flag("--device-write-iops", OPERATIONS, "Limit writing to a device, operations a second."),
    Flag("--cgroup-parent", PATH, "The cgroup to make the container's cgroup in."),
)
CREATE = {
    "How it is started and watched": STARTED,
    "The program": PROGRAM,
    "Its files": FILES,
    "What it sees of the system": SEEN,
    "What it may": MAY,
    "What it gets": GETS,
}


class ExplainOptions(Options):
    """``run``'s options, and how to print the plan."""

    json: bool = False
    diff: tuple[str, ...] = ()


DIFF = Kind(read=read.texts, metavar="FLAGS", like="a quoted list of flags such as --diff '--privileged'")
EXPLAINED = (
    Flag("--json", SWITCH, "Print the plan as JSON."),
    Flag("--diff", DIFF, "Show what these flags change; twice compares the two."),
)
EXECUTED = (
    Flag("-d --detach", SWITCH, "Run it in the background."),
    Flag("-i --interactive", SWITCH, "Pass stdin on."),
    Flag("-t --tty", SWITCH, "Give the program a terminal."),
    *(flag for flag in PROGRAM if flag.name in ("--env-file", "--env", "--workdir", "--user")),
    Flag("--privileged", SWITCH, "All capabilities, no filter."),
    Flag("--trace", TRACE, "Print each system call as it happens, to stderr; =json for programs."),
)
WATCHED = (
    Flag("--no-stdin", SWITCH, "Only look."),
    Flag("--sig-proxy", SWITCH, "Pass signals on to the program (the default)."),
)
ATTACHED = (
    Flag("-a --attach", SWITCH, "Show its output, pass signals on, end with its exit code."),
    Flag("-i --interactive", SWITCH, "Pass stdin on."),
)
SETTINGS = (
    Flag("--root", PATH, "Where images and containers' files are kept (MINIRUN_ROOT)."),
    Flag("--state", PATH, "Where the state of running containers is kept (MINIRUN_STATE)."),
    Flag("--debug", SWITCH, "Show the traceback of an error."),
)

#: What stands before the command.
GLOBAL = Table(Settings, "", "Containers, as a list of system calls.", {"Options": SETTINGS})

#: The commands that are read from a table, each with a ``main(settings, options)``.
TABLES = {
    "run": Table(Options, "image command*", "Create a container and start it.", CREATE),
    "create": Table(Options, "image command*", "Create a container; `start` runs it.", CREATE),
    "start": Table(
        StartOptions, "containers+", "Start created or stopped containers.", {"Options": ATTACHED}
    ),
    "exec": Table(
        ExecOptions, "container command+", "Run one more program in a container.", {"Options": EXECUTED}
    ),
    "attach": Table(
        AttachOptions,
        "container",
        "Attach to a running container; Ctrl-P Ctrl-Q leaves it again.",
        {"Options": WATCHED},
    ),
    "explain": Table(
        ExplainOptions,
        "image command*",
        "Print the system calls of a start, without making them.",
        {"How the plan is shown": EXPLAINED, **CREATE},
    ),
}
