"""Part of ``plan.py``: what [start] does, the process at the channel in init's place.

Layer ``container``, pure. It gives the container its end of the cable, waits at the
gate, has the runtime start the program, and ends; or stays, where it stands for a
program that the host's kernel does not know.
"""

from __future__ import annotations

from minirun.container import channel, plan_phases
from minirun.container.oci import bundle as bundles
from minirun.container.oci import deeds
from minirun.isolation import namespaces, sysctls
from minirun.linux import credentials, namespace
from minirun.linux.namespace import CloneFlag
from minirun.spec import Spec
from minirun.steps import INIT, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.oci.runtime import Called

#: Results that are there before the first step (create.py), and one that a host step stores.
STREAMS = (Ref(name="stdin"), Ref(name="stdout"), Ref(name="stderr"))
MASTER = Ref(name="terminal_master")
_CHANNEL = Ref(name="channel to host")
_HOSTS_NETWORK = Ref(name="the host's network")
CHAPTER = "10"


def steps(spec: Spec, called: Called, stands_in: bool) -> Iterator[Step]:
    """[start]: at the channel in init's place."""
    streams = () if spec.process.terminal else STREAMS
    yield Step(
        "show the stage in ps",
        Call(credentials.set_name, "minirun:[start]"),
        why="so that ps tells what this process is",
        chapter=CHAPTER,
    )
    if streams and not stands_in:
        yield Step(
            "let go of the program's streams",
            Call(deeds.close, *streams),
            why="who reads from them waits for the end of file, and the program has its own by now",
            chapter=CHAPTER,
        )
    if not stands_in:
        yield from _network(spec, called.runtime.has_own_kernel)
    yield plan_phases.wake(INIT, channel.READY, *([MASTER] if spec.process.terminal else []))
    yield plan_phases.gate()
    yield Step(
        f"{called.runtime.name} start",
        Call(deeds.start, called, *(streams if stands_in else ())),
        why="the program begins, as the container's first process",
        chapter=CHAPTER,
    )
    if stands_in:
        yield Step(
            f"{called.runtime.name} wait",
            Call(deeds.wait, called, _CHANNEL),
            why="the end of the program is known to its own kernel; this process ends when it does",
            chapter=CHAPTER,
        )


def _network(spec: Spec, own_kernel: bool) -> Iterator[Step]:
    """What init does for itself where minirun makes it: its end of the cable."""
    if not spec.endpoints:
        return
    from minirun.network import attach

    yield Step(
        "remember the host's network namespace",
        Call(namespace.open_namespace, "/proc/self/ns/net"),
        why="the way back",
        result=_HOSTS_NETWORK.name,
        chapter="08",
    )
    yield Step(
        "enter the container's network namespace",
        Call(namespace.join, Ref(name="init", form="/proc/{}/ns/net"), CloneFlag.NEWNET),
        why="there the other end of the cable is, and is configured from inside",
        chapter="08",
    )
    yield from namespaces.loopback(spec)
    yield from attach.init_steps(spec)
    if own_kernel:  # which knows no such switch, but may leave its sockets to this namespace
        yield from sysctls.steps(bundles.with_usual_sysctls(spec))
    yield Step(
        "return to the host's network namespace",
        Call(namespace.join_process, _HOSTS_NETWORK, CloneFlag.NEWNET),
        why="the runtime may have its own socket there",
        chapter="08",
    )
