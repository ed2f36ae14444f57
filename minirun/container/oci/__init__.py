"""Another runtime makes the container: runc, crun, runsc, by the OCI runtime specification.

Layer ``container``. With ``--runtime NAME`` (or a pod's runtimeClassName) minirun
stays what it is but for one thing. Images, networks, the monitor, logs and records
are its own; the namespaces, mounts and privileges are made by the program NAME,
which gets them as a directory (a *bundle*) with a config.json in it:

    runtime.py   which program that is, and how it is called
    bundle.py    the Spec as config.json; pure
    refusals.py  what such a container cannot have, by name
    groups.py    its cgroups, in every tree that a runtime goes into
    plan.py      the steps of its start, in place of container/plan.py's
    plan_start.py  ... and those of the process that waits at the gate for it
    deeds.py     what those steps do: the calls of the program
    guest.py     exec, kill and clean-up where only the runtime can do them

Nothing here is imported for a container that minirun makes by itself. Read
``plan.py`` first; https://github.com/opencontainers/runtime-spec/blob/main/runtime.md
has the verbs create, start, kill and delete.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.container.state import Home, Record
    from minirun.network.attach import Wiring
    from minirun.spec import Spec
    from minirun.steps import Step


def adapted(home: Home, record: Record, wanted: str, make: bool = True) -> Record:
    """``record``, for a container that the runtime ``wanted`` makes. Raises NotFound, Unsupported."""
    from minirun.container.oci import groups, refusals, runtime
    from minirun.isolation.cgroups.layout import layout

    path = runtime.find(wanted)
    if not path:
        return record
    program = runtime.Runtime(path=path)
    refusals.check(record, program)
    made = replace(
        record,
        runtime=path,
        runtimeFlags=program.flags(record.spec),
        cgroups=groups.directories(record.spec),
        killFile=groups.kill_file(record.spec, layout()),
    )
    return runtime.with_shared_memory(home.store, made, make)


def pretended(home: Home, spec: Spec, wanted: str, wiring: Wiring | None, sandbox: str = "") -> list[Step]:
    """The steps of a container that is not there, for `explain`; in a pod that of ``sandbox``."""
    from minirun.container import plan as own
    from minirun.container.oci import runtime
    from minirun.container.state import Record
    from minirun.isolation.cgroups.layout import layout

    record = Record(id=home.id, name=home.id, spec=spec)
    record = adapted(home, runtime.in_pod(record, sandbox) if sandbox else record, wanted, make=False)
    if record.runtime:
        return plan_of(home, record, wiring)
    return own.plan(spec, layout(), f"{home.store.root}/seccomp", wiring)


def plan_of(home: Home, record: Record, wiring: Wiring | None) -> list[Step]:
    """The steps of a start by the runtime of ``record``."""
    from minirun.container.oci import guest, plan, runtime

    called = runtime.called(home.store, record)
    stands_in = runtime.is_guest_of_sandbox(record)
    return plan.plan(record.spec, called, guest.bundle_of(home), wiring, stands_in)
