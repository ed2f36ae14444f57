"""vm run: an image's program in a machine of its own, from the flags to the exit code.

Layer ``vm``. The table of contents of this package, top to bottom:

    image, process   as for a container (container/specify.py)
    kernel           found; its drivers and our init are packed for it
    template         if this machine was booted before, that is not done again
    hypervisor       the process that is the machine
    session          the operations go in, the program's streams go through
"""

from __future__ import annotations

import hashlib
import os
import time

from minirun import native
from minirun.container import specify
from minirun.container.files import read, timestamp
from minirun.container.specify_mounts import SHM_SIZE, Lent
from minirun.errors import InvalidInput, MinirunError, NotFound
from minirun.image import store as images
from minirun.image.config import ImageConfig, check_platform
from minirun.isolation.mounts.defaults import default_mounts
from minirun.linux import process
from minirun.values import TYPE_CHECKING, Value, replace
from minirun.vm import (
    accel,
    guest,
    home,
    hypervisor,
    initramfs,
    kernel,
    machine,
    options,
    ports,
    share,
    template,
)
from minirun.vm.failures import DidNotComeUp
from minirun.vm.home import Record
from minirun.vm.session import EndedBySignal, EndedBySignals, Session, window
from minirun.vm.wire import OPERATE, Guest

if TYPE_CHECKING:
    from minirun.container.state import Store
    from minirun.spec import Spec
    from minirun.vm.home import Home
    from minirun.vm.hypervisor import Hypervisor, Trace
    from minirun.vm.kernel import Kernel
    from minirun.vm.machine import Machine
    from minirun.vm.options import VmOptions
    from minirun.vm.ports import Published
    from minirun.vm.share import Volume

#: The program was ended from outside: 128 + SIGKILL, as of a container that was killed.
TIMED_OUT = 137


class TimedOut(MinirunError):
    """The program was still at it when ``--timeout`` was over."""

    exit_code = TIMED_OUT


class Prepared(Value):
    """All that is decided about a machine before there is a process of it."""

    spec: Spec
    layers: tuple[str, ...]
    volumes: tuple[Volume, ...]
    published: tuple[Published, ...]
    machine: Machine
    template: template.Held
    """What it is restored from; if its path is empty, it boots."""
    record: Record


class Telling:
    """What is told while a machine starts; here, nothing. The command line tells it on stderr."""

    #: Gets each step of the hypervisor-to-be, as ``steps.Walk`` has it.
    trace: Trace | None = None

    def milestone(self, name: str, uptime: int) -> None:
        """Something was reached; ``uptime`` is the guest's clock in microseconds, -1 on the host."""

    def operation(self, words: tuple[str, ...]) -> None:
        """The guest is asked to do this (``guest.py``)."""


def run(store: Store, wish: VmOptions, telling: Telling) -> int:
    """Runs the program; its exit code, 128+N if signal N came before there was a program.

    Raises what keeps it from running, and TimedOut.
    """
    try:
        with EndedBySignals():
            return _run(store, wish, telling)
    except TimeoutError as error:
        raise TimedOut(
            f"the program did not end within {wish.timeout:g} seconds",
            "--timeout ends the whole machine then, as a power cut would",
            "give it more time, or look what it waits for: minirun vm inspect, while it runs",
        ) from error
    except EndedBySignal as signal:
        return 128 + signal.number
    except DidNotComeUp:
        # That KVM can make a machine does not say that it can run one: nested or
        # partial ones exist, and what they lack shows at the boot.
        if wish.accel != "auto" or accel.choose("auto") != "kvm":
            raise
    telling.milestone("emulated", -1)
    return run(store, replace(wish, accel="tcg"), telling)


def _run(store: Store, wish: VmOptions, telling: Telling) -> int:
    options.check(wish)
    deadline = time.monotonic() + wish.timeout if wish.timeout > 0 else None
    own, name = home.reserve(store, wish.name)
    with own:
        prepared = _prepare(store, wish, own.id, name, telling)
        share.make_places(own.path, prepared.volumes)
        with prepared.template, _launch(own, prepared, wish, telling) as running:
            telling.milestone("hypervisor", -1)
            started = process.start_time(running.pid)
            own.write(replace(prepared.record, pid=running.pid, startTime=started))
            talking = Guest(running, telling.milestone, own.complaints)
            if wish.console:
                talking.on_console = lambda data: os.write(2, data)
            if prepared.template.path:
                template.restore(running, prepared.template)
                telling.milestone("restored", -1)
            else:
                talking.wait_ready(deadline)
            return _follow(talking, prepared, wish, telling, deadline)


def _prepare(store: Store, wish: VmOptions, id: str, name: str, telling: Telling) -> Prepared:
    layers, config = _files(store, wish)
    spec = specify.spec_of(
        replace(wish, network=("none",), publish=(), memory=None),
        config,
        id,
        Lent(layers=layers, volumes=f"{store.root}/volumes"),
        _nobody,
    )
    published = tuple(map(ports.publish, wish.publish))
    booted = kernel.find(store.root, wish.kernel)
    volumes = _volumes(spec, wish, booted)
    hardware = _machine(store.root, wish, booted)
    held = template.Held()
    if template.suits(hardware) and not wish.cold:
        held = template.get(store.root, hardware, booted.release, telling.milestone)
    record = Record(
        id=id,
        name=name,
        image=wish.image or wish.rootfs,
        command=spec.process.args,
        created=timestamp(),
        memory=hardware.memory,
        cpus=hardware.cpus,
        accel=hardware.accel,
        kernel=booted.release,
        network=hardware.network,
        ports=tuple(map(str, published)),
        booted=os.path.basename(held.path) or "cold",
    )
    return Prepared(
        spec=spec,
        layers=layers,
        volumes=volumes,
        published=published,
        machine=hardware,
        template=held,
        record=record,
    )


def _files(store: Store, wish: VmOptions) -> tuple[tuple[str, ...], ImageConfig]:
    """The directories that make up the root file system, and what the image says of its program."""
    if wish.rootfs:
        if not os.path.isdir(wish.rootfs):
            raise NotFound(
                f"--rootfs {wish.rootfs}", "there is no such directory", "give one that holds bin, etc ..."
            )
        return (os.path.abspath(wish.rootfs),), ImageConfig()
    image = images.resolve(store.root, wish.image)
    check_platform(image, emulators="")  # the host's are not the guest's
    # A volume that only the image asks for is a directory of this machine, gone with it.
    return image.layers, replace(image.config, volumes=())


def _nobody(name: str) -> int:
    raise NotFound(f"container:{name}", "a virtual machine shares nobody's namespaces", "leave it out")


def _machine(root: str, wish: VmOptions, booted: Kernel) -> Machine:
    drivers = machine.DRIVERS + (machine.NETWORK_DRIVERS if wish.has_network else ())
    drivers += machine.DISK_DRIVERS if wish.disk else ()
    return machine.Machine(
        kernel=booted.image,
        initramfs=_initramfs(root, booted, drivers),
        memory=wish.memory or options.MEMORY,
        cpus=wish.vcpus,
        accel=accel.choose(wish.accel),
        network=wish.has_network,
        disks=tuple(map(_disk, wish.disk)),
        append=" ".join(wish.append),
        chatty=wish.console,
    )


def _disk(path: str) -> str:
    if not os.path.exists(path):
        raise NotFound(f"--disk {path}", "there is no such file", f"make one: truncate -s 1G {path}")
    if os.path.isdir(path):
        raise InvalidInput(
            f"--disk {path}", "it is a directory, and no disk image", f"to share it: -v {path}:/path"
        )
    return os.path.abspath(path)


def _initramfs(root: str, booted: Kernel, drivers: tuple[str, ...]) -> str:
    """The packed drivers and our init, made when first wanted."""
    init = read(native.path("guest")) or b""
    index = f"{booted.modules}/modules.dep"
    stamp = os.stat(index).st_mtime_ns if os.path.exists(index) else 0
    key = hashlib.sha256(repr((booted.release, booted.modules, stamp, drivers)).encode() + init).hexdigest()
    path = f"{root}/initramfs/{key[:32]}"
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        initramfs.build(booted, init, drivers, path)
    return path


def _volumes(spec: Spec, wish: VmOptions, booted: Kernel) -> tuple[Volume, ...]:
    usual = default_mounts(False, SHM_SIZE)  # /proc, /dev ...: guest.py has its own
    found = share.volumes([mount for mount in spec.mounts if mount not in usual])
    if not wish.modules or not booted.modules:
        return found
    place = f"/lib/modules/{booted.release}"
    return (
        *found,
        share.Volume(number=len(found), kind="bind", source=booted.modules, target=place, readonly=True),
    )


def _launch(own: Home, prepared: Prepared, wish: VmOptions, telling: Telling) -> Hypervisor:
    place = prepared.template.path
    lines = hypervisor.Lines(with_monitor=bool(place))
    wires = machine.Wires(
        name=f"minirun-{own.id[:12]}",
        memory=f"{place}/memory" if place else "",
        restores=bool(place),
        publish=tuple(one.forward for one in prepared.published),
    )
    steps = tuple(share.steps(own.path, prepared.layers, prepared.volumes, not prepared.machine.network))
    try:
        return hypervisor.launch(own.path, steps, prepared.machine, lines.tie(wires), lines, telling.trace)
    except BaseException:
        lines.close()
        raise


def _follow(
    talking: Guest, prepared: Prepared, wish: VmOptions, telling: Telling, deadline: float | None
) -> int:
    operations = tuple(
        guest.operations(
            prepared.spec.process,
            prepared.spec.hostname,
            prepared.volumes,
            prepared.machine.network,
            os.urandom(64),
            time.time_ns(),
            window(),
        )
    )
    for words in operations:
        telling.operation(words)
    talking.send(OPERATE, guest.encode(operations))
    session = Session(talking, stdin=wish.interactive, tty=wish.tty, sig_proxy=wish.sig_proxy)
    return session.follow(deadline)
