"""CNI in the plan of a start: the namespace is held on to, and the plugins are run.

Layer ``network``, part of ``cni``. The plugins work from outside, while the
container's first process waits for its interfaces, and they find its network
namespace by a path. That is a bind mount and not /proc/PID/ns/net: DEL comes when
the last process is gone, and some of what ADD has made (the bridge plugin's rules
for masquerading) is taken away only by a DEL that can still see the namespace.
``container/cni_wiring.py`` decides, and adds what follows from the answer.
"""

from __future__ import annotations

from minirun.linux import namespace
from minirun.network.cni import attachment as records
from minirun.network.cni import chain, runtime
from minirun.network.cni import plugin as programs
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.network.cni.config import NetworkConfig
    from minirun.network.cni.runtime import RuntimeConfig
    from minirun.spec import Port


def refuse(
    config: NetworkConfig, id: str, interface: str, ports: Sequence[Port], asked: RuntimeConfig
) -> None:
    """Raises what ``chain.add`` would refuse before it runs a plugin, while nothing has been made yet."""
    records.check_names(config.name, id, interface)
    runtime.asked(config, asked, ports)
    for plugin in config.plugins:
        programs.find(plugin.type, programs.places(), config.name)


def keep_netns(netns: str) -> Step:
    """The container's network namespace under a name, ``netns``, that outlives its processes."""
    return Step(
        "hold on to its network namespace",
        Call(namespace.keep, Ref(name="init", form="/proc/{}/ns/net"), netns),
        why="CNI's plugins find it by this path, also when they clean up after its last process",
        side=HOST,
        undo=[Call(namespace.let_go, netns)],
        chapter="08",
    )


def plug_in(
    config: NetworkConfig,
    id: str,
    netns: str,
    interface: str,
    ports: Sequence[Port],
    state: str,
    timeout: float,
    asked: RuntimeConfig,
) -> Step:
    """ADD; the answer is the result ``answer_to(interface)``. The arguments are those of ``chain.add``."""
    return Step(
        f"run the plugins of the CNI network {config.name}",
        Call(chain.add, config, id, netns, interface, tuple(ports), state, (), timeout, None, asked),
        why="each program makes its part (a cable, an address, rules) and passes its answer on to the next",
        side=HOST,
        undo=[Call(chain.delete, config.name, id, netns, interface, state, (), timeout)],
        result=answer_to(interface).name,
        chapter="08",
    )


def answer_to(interface: str) -> Ref:
    """What the plugins have answered to the ADD of ``interface``."""
    return Ref(name=f"answer for {interface}")
