"""The sandbox: a container whose program sleeps, so that its namespaces stay.

Layer: pod. Network, IPC and UTS namespaces live as long as a process is in them.
An app that crashes would take its address along; so the pod's namespaces are those
of ``pause`` (native/pause.c), which does nothing and hence never crashes. It is a
container like any other, made by the same steps: its root is a directory with one
program, read-only, and its user is nobody. Every member joins what it holds:

    pause    net ipc uts            with shareProcessNamespace: pid; with hostUsers false: user
    member   mnt cgroup, its own pid

Around all of them is the pod's cgroup, made before anyone is in it. Read
``member.py`` next.
"""

from __future__ import annotations

import os
import time

from minirun import native
from minirun.container import etc_files, remove
from minirun.container.options import Options
from minirun.errors import NotFound
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.pod import events, names, node, qos
from minirun.spec import Root
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.container.state import Home, Record
    from minirun.pod.manifest.types import Pod, PodSpec
    from minirun.pod.state import PodHome, PodRecord
    from minirun.spec import Spec
    from minirun.steps import Step

#: Labels of all containers of a pod; containerd and docker's shim use the same.
POD, NAMESPACE, UID, CONTAINER = (
    "io.kubernetes.pod.name",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.pod.uid",
    "io.kubernetes.container.name",
)
#: The container of a pod that is its sandbox; no container of a manifest can be called so.
SANDBOX = "POD"
#: Whom the sleeping program runs as; Kubernetes' pause image has the same.
NOBODY = "65535:65535"
_MOUNTS = ("/proc", "/dev", "/dev/shm")


def make(
    home: PodHome, record: PodRecord, meanwhile: Callable[[], object] | None = None
) -> tuple[Home, tuple[str, ...]]:
    """The running sandbox and the pod's addresses. Raises what keeps it from being made; then nothing is.

    ``meanwhile`` is done while other processes make it.
    """
    from minirun.container import start  # who only ends one does not pay for these
    from minirun.container.prepare import prepare
    from minirun.image.config import Image, ImageConfig

    pod = record.pod
    clear(home, container_name(record.name, SANDBOX))
    node.make_group(record.cgroup, pod.spec)
    image = Image(id="", config=ImageConfig(entrypoint=("/pause",)))
    root = _root(home.store.root)

    def adapt(container: Record) -> Record:
        spec = standing_on(root, container.spec, container.runtime)
        return with_runtime(pod.spec, replace(container, pod=record.uid, spec=spec), container.id)

    def files(addresses: Sequence[str]) -> dict[str, str]:
        dns = resolver(pod)
        for note in dns.notes:
            events.note(home, "Warning", "DNSConfigForming", note)
        return files_of(pod, addresses, dns)

    with prepare(
        home.store, options_of(record), image=image, adapt=adapt, files_of=files, first_id=record.first_id
    ) as prepared:
        client, _ = start.launch(
            prepared.home, prepared.record, prepared.lock, autostart=True, meanwhile=meanwhile
        )
        try:
            start.wait_started(client)
        except BaseException:
            client.close()
            end(prepared.home)
            raise
        client.close()
    return prepared.home, addresses_of(prepared.record)


def with_runtime(spec: PodSpec, container: Record, sandbox: str) -> Record:
    """``container``, with what the pod's runtime has to know of whose sandbox it is in."""
    if not spec.runtimeClassName:
        return container
    from minirun.container.oci import runtime  # another program makes it

    return runtime.in_pod(container, sandbox)


def standing_on(root: str, spec: Spec, runtime: str) -> Spec:
    """The sandbox's Spec, with its root, and of a container's mounts those that it has a use for.

    Each takes its time. Sysctls are written to /proc, and members take their /dev/shm
    from here; another ``runtime`` writes into more of them.
    """
    kept = spec.mounts if runtime else tuple(each for each in spec.mounts if each.destination in _MOUNTS)
    return replace(spec, root=Root(path=root, readonly=True), mounts=kept)


def plan(home: PodHome, record: PodRecord) -> list[Step]:
    """The steps that come before the sandbox's own: the pod's cgroup, with its limits."""
    return list(cgroups.group_steps(record.cgroup, qos.pod_resources(record.pod.spec), layout()))


def options_of(record: PodRecord) -> Options:
    """The sandbox in the words of `run`."""
    from minirun.linux.capability import Capability, capget

    pod, spec = record.pod, record.pod.spec
    security = spec.securityContext
    network = ("host",) if spec.hostNetwork else record.network
    mighty = bool(capget()[0] >> Capability.SYS_RESOURCE & 1)
    return Options(
        image="pause",
        runtime=spec.runtimeClassName or "",
        name=container_name(record.name, SANDBOX),
        label=labels(record, SANDBOX),
        user=NOBODY,
        read_only=True,
        cap_drop=("ALL",),
        hostname="" if spec.hostNetwork else names.name_of(pod).hostname,
        uts="host" if spec.hostNetwork else "private",
        ipc="host" if spec.hostIPC else "shareable",
        pid="host" if spec.hostPID else "private",
        userns="private" if spec.hostUsers is False else "host",
        network=network,
        publish=() if spec.hostNetwork else tuple(_published(pod)),
        sysctl={each.name: each.value for each in security.sysctls} if security else {},
        cgroup_parent=record.cgroup,
        oom_score_adj=qos.PAUSE_OOM_SCORE if mighty else None,
        stop_timeout=2,
    )


def _published(pod: Pod) -> list[str]:
    """Words of -p for each hostPort."""
    found = []
    for container in (*pod.spec.initContainers, *pod.spec.containers):
        for port in container.ports:
            if port.hostPort:
                host = f"[{port.hostIP}]" if ":" in port.hostIP else port.hostIP
                before = f"{host}:" if host and host not in ("0.0.0.0", "::", "[::]") else ""
                found.append(
                    f"{before}{port.hostPort}:{port.containerPort}/{(port.protocol or 'TCP').lower()}"
                )
    return found


def resolver(pod: Pod) -> names.Resolver:
    """What its resolv.conf says, and what that had no room for."""
    return names.resolv_conf(pod, etc_files.host_resolv_conf(loopback=pod.spec.hostNetwork))


def files_of(pod: Pod, addresses: Sequence[str], dns: names.Resolver) -> dict[str, str]:
    """/etc/hosts, /etc/resolv.conf and /etc/hostname, which all members share."""
    host_network = pod.spec.hostNetwork
    hostname = os.uname().nodename if host_network else names.name_of(pod).hostname
    return {
        "hosts": names.hosts(pod, addresses, etc_files.host_hosts() if host_network else ""),
        "resolv.conf": dns.text,
        "hostname": f"{hostname}\n",
    }


def addresses_of(record: Record) -> tuple[str, ...]:
    """The pod's addresses, without prefix length; on the host's network the host's."""
    own = [address.partition("/")[0] for each in record.spec.endpoints for address in each.addresses]
    if own or any(namespace.type == "network" for namespace in record.spec.linux.namespaces):
        return tuple(own)
    return node.addresses()


def end(home: Home) -> None:
    """Ends a container of a pod and gives everything back that it has; gone already is fine.

    One that is half-made is nobody's any more, but its maker's child may find that out
    a moment later.
    """
    begun = time.monotonic()
    while os.path.isdir(home.data) or os.path.isdir(home.runtime):
        if home.exists():
            try:
                remove.remove(home, force=True, volumes=True)
            except NotFound:
                continue
        elif not _sweep(home, begun):
            return


def _sweep(home: Home, begun: float) -> bool:
    """Sweeps a half-made container; False when its maker has had time enough to die."""
    from minirun.container import gc  # rarely needed, and it imports a lot

    if not gc.sweep(home):
        if time.monotonic() > begun + gc.PATIENCE:
            return False
        time.sleep(0.005)  # whoever made it may not be our child
    return True


def clear(home: PodHome, name: str) -> None:
    """Removes what a killed supervisor has begun to make for the pod under that name."""
    id = home.store.id_of_name(name)
    if not id:
        return
    container = home.store.container(id)
    record = container.record() if container.exists() else container.pending()
    if record is None or record.pod == home.uid:
        end(container)


def container_name(pod: str, container: str, attempt: int = 0) -> str:
    """What `ps` calls it. No name of Kubernetes' has an underscore, so no two pods' meet."""
    return f"{pod}_{container}" + (f"_{attempt}" if attempt else "")


def labels(record: PodRecord, container: str) -> dict[str, str]:
    """How tools find the pod of a container."""
    return {
        **record.pod.metadata.labels,
        POD: record.name,
        NAMESPACE: record.namespace,
        UID: record.uid,
        CONTAINER: container,
    }


def place_of(root: str) -> str:
    """The directory that is the root of every sandbox."""
    return f"{root}/pause"


def _root(root: str) -> str:
    """The directory that is the root of every sandbox: one program, and what is mounted on.

    Made once, for all of them; the root of a user namespace could not make any of it.
    """
    place = place_of(root)
    program = f"{place}/pause"
    source = native.path("pause")
    if os.path.exists(program) and os.stat(program).st_size == os.stat(source).st_size:
        return place
    from minirun.linux.path import make_directory  # once for all pods

    for name in ("", "/dev", "/etc", "/proc", "/sys"):
        make_directory(f"{place}{name}", 0o755)
    for name in ("hostname", "hosts", "resolv.conf"):
        fd = os.open(f"{place}/etc/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.fchmod(fd, 0o644)  # whatever the caller's umask is
        os.close(fd)
    with open(source, "rb") as file:
        content = file.read()
    fresh = f"{program}.{os.getpid()}"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o755)
    try:
        os.write(fd, content)
        os.fchmod(fd, 0o755)
    finally:
        os.close(fd)
    os.rename(fresh, program)
    return place
