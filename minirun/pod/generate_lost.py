"""What a container was told that no manifest has a word for: flag by flag, for a note.

Part of ``generate_container.py``; pure. Found by what is in the record, which is what
the flags had come to.
"""

from __future__ import annotations

from minirun.container.program import INIT
from minirun.isolation.mounts.defaults import default_mounts
from minirun.isolation.mounts.options import COPY_UP, MAKE_SOURCE, VOLUME
from minirun.network.bridge import mac_of
from minirun.pod import generate_security
from minirun.pod.manifest.rules_security import SAFE_SYSCTLS
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.state import Record
    from minirun.spec import Mount, Spec

#: Files of the container's own directory, and of the host's for --init.
_OWN = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log", INIT)
#: Of a mount: what a volumeMount says, and what every tmpfs of a container has.
_PROPAGATION = {"rprivate", "private", "rslave", "slave", "rshared", "shared"}
_SAID = {"rbind", "ro", "rro", "rw", *_PROPAGATION, VOLUME, MAKE_SOURCE, COPY_UP}
_TMPFS = {"noexec", "nosuid", "nodev", "ro"}
#: What --shm-size is unless told otherwise.
_SHM = next(mount.options for mount in default_mounts() if mount.destination == "/dev/shm")


def own_mounts(spec: Spec) -> list[Mount]:
    """Those that a user has asked for; a /dev/shm of another size is one, too."""
    usual = {mount.destination for mount in default_mounts()} | set(_OWN)
    return [mount for mount in spec.mounts if mount.destination not in usual or _is_shm(mount)]


def _is_shm(mount: Mount) -> bool:
    return mount.destination == "/dev/shm" and mount.type == "tmpfs" and mount.options != _SHM


def unsaid(record: Record) -> Iterator[str]:
    """The flags that get lost."""
    spec, resources = record.spec, record.spec.linux.resources
    memory = resources.memory
    kinds = {each.type for each in spec.linux.namespaces}
    lost = {
        "--init (shareProcessNamespace: true has pause reap)": spec.process.args[:1] == (INIT,),
        "--ulimit": spec.process.rlimits,
        "--umask": spec.process.user.umask is not None,
        "--domainname": spec.domainname,
        "--oom-score-adj": spec.process.oomScoreAdj is not None and not record.pod,
        "--pids-limit": resources.pids,
        "--cpuset-cpus and --cpuset-mems": resources.cpu.cpus or resources.cpu.mems,
        "--blkio-weight and --device-read-bps and its like": resources.blockIO != type(resources.blockIO)(),
        "--oom-kill-disable": memory.disableOOMKiller,
        "--memory-swap": memory.swap not in (None, memory.limit, 2 * (memory.limit or 0)),
        "--device": spec.linux.devices and not generate_security.is_privileged(spec),
        "--time": "time" in kinds,
        "--cgroupns host": "cgroup" not in kinds,
        "--uts host": "uts" not in kinds and "network" in kinds,
        "--cgroup-parent": not record.pod and spec.linux.cgroupsPath not in ("", f"/minirun/{record.id}"),
        "the seccomp profile (seccompProfile names a file of the host's)": spec.linux.seccomp is not None
        and spec.linux.seccomp.profile != "default",
        "--annotation": spec.annotations,
        "--rm": record.remove,
    }
    yield from (what for what, is_so in lost.items() if is_so)
    own = set(spec.linux.sysctl) - SAFE_SYSCTLS
    yield from (f"--sysctl {name}" for name in sorted(own))
    yield from _of_networks(spec)
    for mount in own_mounts(spec):
        yield from _of_mount(mount)
    if not record.pod:
        # Where it borrows a namespace of another container, that one has to be in the pod, too.
        yield from (f"the {kind} namespace of another container" for kind in sorted(record.lenders))


def _of_networks(spec: Spec) -> Iterator[str]:
    if any(each.aliases for each in spec.endpoints):
        yield "--network-alias"
    if any(each.mac and each.addresses and each.mac != mac_of(each.addresses[0]) for each in spec.endpoints):
        yield "--mac-address"


def _of_mount(mount: Mount) -> Iterator[str]:
    """Words of -v, --mount and --tmpfs."""
    words = set(mount.options)
    if mount.type == "tmpfs":
        words = set() if _is_shm(mount) else {word for word in words - _TMPFS if word[:5] != "size="}
    yield from (f"the option {word} of the mount at {mount.destination}" for word in sorted(words - _SAID))
