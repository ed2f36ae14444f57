"""Which program makes the container, and the words by which it is called.

Layer ``container``. A name is looked up along PATH and in the directories where
packages put runtimes; a path is taken as it is. What the verbs are called is
the same for all of them (runc's command line is what everybody copied), and what
is different is said here: gVisor's runsc has a kernel of its own, so what is
known of a process from outside is not known of the programs in it.
"""

from __future__ import annotations

import os

from minirun.errors import NotFound
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from minirun.container.state import Record, Store
    from minirun.spec import Spec

#: minirun's own way, under the name that a manifest may give it.
OWN = "minirun"
_USUAL = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_GVISOR = "runsc"

#: As containerd's CRI names them: by these runsc knows which containers share one kernel.
CONTAINER_TYPE = "io.kubernetes.cri.container-type"
SANDBOX_ID = "io.kubernetes.cri.sandbox-id"


class Runtime(Value):
    """A program that speaks runc's command line."""

    path: str

    @property
    def name(self) -> str:
        """As it is told to users."""
        return os.path.basename(self.path)

    @property
    def has_own_kernel(self) -> bool:
        """Whether the host's kernel knows nothing of the programs inside (gVisor)."""
        return os.path.basename(os.path.realpath(self.path)).startswith(_GVISOR)

    def flags(self, spec: Spec) -> tuple[str, ...]:
        """What stands before the verb for this container."""
        if not self.has_own_kernel:
            return ()
        found = [f"--network={_network(spec)}"]
        if "CAP_NET_RAW" in spec.process.capabilities.bounding:
            found.append("--net-raw")  # or it takes the capability away
        if spec.linux.seccomp and not spec.linux.seccomp.profile:
            found.append("--oci-seccomp")  # asked for by name; our default is about the host's kernel
        return tuple(found)


def _network(spec: Spec) -> str:
    """Whose network stack: gVisor's own, or that of the namespace that it stands in.

    In the host's namespace its own stack would take the host's addresses away.
    """
    path = next((each.path for each in spec.linux.namespaces if each.type == "network"), None)
    if path is None:
        return "host"
    if path == "" and not spec.endpoints:
        return "none"
    return "host" if _mistakes_every_namespace() else "sandbox"


def _mistakes_every_namespace() -> bool:
    """Whether runsc would take a container's network namespace for the host's, and refuse it.

    It knows the host's by a sysctl that other namespaces lacked; newer kernels show it in each.
    """
    from minirun.linux import namespace, trial

    def look() -> bool:
        namespace.unshare(namespace.CloneFlag.NEWNET)
        return os.path.exists("/proc/sys/net/core/rmem_default")

    try:
        return bool(trial.in_child(look))
    except (OSError, trial.TrialFailed):
        return False  # not root: nothing is made, and the plan is all that is asked for


class Called(Value):
    """The runtime of one container: whom to call, and where it keeps what it knows."""

    runtime: Runtime
    root: str
    """Its ``--root``."""
    id: str
    log: str
    flags: tuple[str, ...] = ()

    def words(self, verb: str, *rest: str) -> list[str]:
        """The command line ``RUNTIME --root ... VERB ... ID``."""
        before = ["--root", self.root, "--log", self.log, "--log-format", "json", *self.flags]
        return [self.runtime.path, *before, verb, *rest, self.id]


def find(wanted: str) -> str:
    """The path of the runtime that --runtime names; "" for minirun itself. Raises NotFound."""
    if wanted in ("", OWN):
        return ""
    if "/" in wanted:
        places = [os.path.abspath(wanted)]
    else:
        directories = [*os.environ.get("PATH", "").split(":"), *_USUAL]
        places = [f"{directory}/{wanted}" for directory in dict.fromkeys(directories) if directory]
    for place in places:
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    why = f"{wanted} is no executable file" if "/" in wanted else f"no executable {wanted} along PATH"
    remedy = (
        f"install it (Debian: apt-get install {os.path.basename(wanted)}), or use minirun's own: leave it out"
    )
    raise NotFound(f"there is no OCI runtime {wanted} on this host", why, remedy)


def called(store: Store, record: Record) -> Called:
    """How the runtime of the container of ``record`` is called."""
    # The containers of one gVisor kernel are found by each other in one root.
    holder = record.spec.annotations.get(SANDBOX_ID) or record.id
    runtime = Runtime(path=record.runtime)
    return Called(
        runtime=runtime,
        root=f"{store.container(holder).runtime}/oci",
        id=record.id,
        log=f"{store.container(record.id).runtime}/oci.log",
        flags=record.runtimeFlags,
    )


def in_pod(record: Record, sandbox: str) -> Record:
    """``record`` as one of the containers around the sandbox ``sandbox``, which may be itself."""
    kind = "sandbox" if record.id == sandbox else "container"
    annotations = {**record.spec.annotations, CONTAINER_TYPE: kind, SANDBOX_ID: sandbox}
    return replace(record, spec=replace(record.spec, annotations=annotations))


def with_shared_memory(store: Store, record: Record, make: bool) -> Record:
    """/dev/shm of a member of a gVisor pod: a directory of the host's, as containerd gives it.

    What the sandbox has mounted there is in its own kernel, where the host cannot pick it up.
    Without ``make`` it is only said, for `explain`.
    """
    if not is_guest_of_sandbox(record):
        return record
    shared = f"{store.container(record.spec.annotations[SANDBOX_ID]).runtime}/shm"
    if make:
        os.makedirs(shared, exist_ok=True)
        os.chmod(shared, 0o1777)
    mounts = tuple(
        replace(each, source=shared) if each.destination == "/dev/shm" and each.type == "bind" else each
        for each in record.spec.mounts
    )
    return replace(record, spec=replace(record.spec, mounts=mounts))


def has_own_kernel(record: Record) -> bool:
    """Whether the programs of this container are known to another kernel than the host's."""
    return bool(record.runtime) and Runtime(path=record.runtime).has_own_kernel


def is_guest_of_sandbox(record: Record) -> bool:
    """Whether it runs in the kernel of another container, so that no process here is its own."""
    return has_own_kernel(record) and record.spec.annotations.get(CONTAINER_TYPE) == "container"
