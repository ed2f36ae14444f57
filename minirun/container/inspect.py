"""inspect: all that is known of a container, what was asked and what the kernel says.

Layer ``container``. The second half is what one would look up with lsns,
nsenter, findmnt and cat in /sys/fs/cgroup.
"""

from __future__ import annotations

from minirun.container.pause import status_of
from minirun.container.state import Home, Record
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.linux import namespace, procfs
from minirun.values import TYPE_CHECKING, plain

if TYPE_CHECKING:
    from typing import Any


def inspect(home: Home) -> dict[str, Any]:
    """The container as a dictionary for JSON. Raises NotFound when it is gone."""
    record = home.record()
    pid = home.live_pid()
    seen = _seen(record, pid)
    return {
        "id": home.id,
        "name": record.name,
        "created": record.created,
        "state": _state(home, pid),
        "image": {"name": record.image, "id": record.imageId},
        "command": list(record.command),
        "labels": record.labels,
        "runtime": record.runtime or "minirun",
        "namespaces": _namespaces(seen),
        "networks": _networks(home, record) if pid else [],
        "ports": [plain(port) for port in record.spec.ports] if pid else [],
        "cgroups": _cgroups(record, pid),
        "filesystem": _filesystem(record),
        "mounts": _mounts(seen),
        "privileges": _privileges(seen),
        "paths": {
            "data": home.data,
            "runtime": home.runtime,
            "log": f"{home.data}/container.log",
        },
        "remove": record.remove,
        "stop_signal": record.stopSignal,
        "stop_timeout_seconds": record.stopTimeout,
        "spec": plain(record.spec),
    }


def _seen(record: Record, pid: int) -> int:
    """The process in which the kernel shows the container; 0 where that is in another kernel."""
    if not record.runtime:
        return pid
    from minirun.container.oci import guest

    return 0 if guest.is_elsewhere(record) else pid


def _networks(home: Home, record: Record) -> list[dict[str, Any]]:
    """As the Spec has them; of a CNI network only the record of its plugins knows what came to be."""
    found = list(record.spec.endpoints)
    if any(each.driver == "cni" for each in found):
        from minirun.container import cni_answer

        found = [cni_answer.seen(home, each) if each.driver == "cni" else each for each in found]
    return [plain(each) for each in found]


def _state(home: Home, pid: int) -> dict[str, Any]:
    running = home.running()
    ended = home.exit()
    state: dict[str, Any] = {
        "status": status_of(home),
        "pid": pid,
        "monitor_pid": running.monitor if running and pid else 0,
        "started": home.started(),
    }
    if ended:
        state["exit"] = {
            "code": ended.exitCode,
            "signal": ended.signal,
            "oom_killed": ended.oomKilled,
            "finished": ended.finishedAt,
            "error": ended.error,
        }
    return state


def _namespaces(pid: int) -> dict[str, dict[str, Any]]:
    """By kind: the inode, and whether it is the host's (shared with us)."""
    if not pid:
        return {}
    own = namespace.inodes("self")
    return {
        kind: {"inode": inode, "shared_with_host": own.get(kind) == inode}
        for kind, inode in namespace.inodes(pid).items()
    }


def _cgroups(record: Record, pid: int) -> dict[str, Any]:
    where = layout()
    found: dict[str, Any] = {"directories": list(record.cgroups)}
    if pid:
        found["limits"] = cgroups.limits(record.spec, where)
        found["usage"] = plain(cgroups.usage(record.spec, where))
        found["processes"] = cgroups.processes(record.cgroups)
    return found


def _filesystem(record: Record) -> dict[str, Any]:
    root = record.spec.root
    return {
        "layers": list(root.layers),
        "upperdir": root.upperdir,
        "workdir": root.workdir,
        "rootfs": root.path,
        "readonly": root.readonly,
        "volatile": root.volatile,
    }


def _mounts(pid: int) -> list[dict[str, str]]:
    """The container's own mount table; see proc(5), /proc/PID/mountinfo."""
    if not pid:
        return []
    found = []
    for line in procfs.read(f"/proc/{pid}/mountinfo").splitlines():
        head, _, tail = line.partition(" - ")
        fields, (kind, source, options) = head.split(), tail.split(" ", 2)
        found.append(
            {
                "target": fields[4],
                "type": kind,
                "source": source,
                "root": fields[3],
                "options": fields[5],
                "superblock_options": options,
                "propagation": " ".join(fields[6:]) or "private",
            }
        )
    return found


def _privileges(pid: int) -> dict[str, str]:
    """What /proc/PID/status says of ids, capabilities and the filter."""
    if not pid:
        return {}
    wanted = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters")
    caps = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    status = procfs.status(pid)
    return {name: status[name] for name in (*wanted, *caps) if name in status}
