"""What a container of another runtime cannot have: refused by name, before anything is made.

Layer ``container``, pure. A runtime gets a file and does what it understands of it;
some pass over what they do not know. So what is known not to come true is said here.
"""

from __future__ import annotations

from minirun.container.oci.runtime import SANDBOX_ID, Runtime
from minirun.container.specify import USUAL_SYSCTLS
from minirun.errors import Unsupported
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.state import Record

_SHARED = ("shared", "rshared")


def check(record: Record, runtime: Runtime) -> None:
    """Raises Unsupported for what was asked and ``runtime`` cannot keep."""
    for what, why, remedy in _refused(record, runtime):
        raise Unsupported(f"{what} cannot be had from the runtime {runtime.name}", why, remedy)


def _refused(record: Record, runtime: Runtime) -> Iterator[tuple[str, str, str]]:
    spec = record.spec
    own = "leave it out, or leave the container to minirun"
    if any(each.type == "user" for each in spec.linux.namespaces):
        why = "its image's files would belong to nobody there: minirun maps them by a mount of its own"
        yield "a user namespace (--userns, hostUsers: false)", why, own
    if any(each.type == "time" for each in spec.linux.namespaces):
        yield "a time namespace (--time, --time-offset)", "few runtimes know it, and some pass over it", own
    for each in spec.mounts:
        if any(word in _SHARED for word in each.options):
            why = "its mounts are made below a namespace that hears of the host's, and is not heard there"
            yield f"the propagation of {each.destination} to the host", why, own
    if runtime.has_own_kernel:
        yield from _own_kernel(record, own)


def _own_kernel(record: Record, own: str) -> Iterator[tuple[str, str, str]]:
    spec = record.spec
    sandbox = spec.annotations.get(SANDBOX_ID, "")
    for kind, lender in record.lenders.items():
        if lender != sandbox:
            why = "each such container has a kernel of its own, but for those of a pod"
            yield f"the {kind} namespace of another container", why, own
    asked = {name for name, value in spec.linux.sysctl.items() if USUAL_SYSCTLS.get(name) != value}
    for name in sorted(asked):
        yield f"the sysctl {name}", "it has a kernel of its own, which does not have that switch", own
    if spec.domainname:
        yield "--domainname", "it has a kernel of its own, which has no domain name", own
    for kind in ("ipc", "pid"):
        found = [each for each in spec.linux.namespaces if each.type == kind]
        if not found:
            why = "it has a kernel of its own, and the host's is not seen from there"
            yield f"the host's {kind} namespace", why, own
    if spec.linux.devices:
        yield "a device of the host's (--device, --privileged)", "its kernel has no drivers for it", own
