"""CNI: a container joins a network that others have configured, by running their plugins.

network/: what minirun's own networks do with netlink, a conflist in
/etc/cni/net.d has programs do. The runtime's side of that contract is here: it
makes the network namespace, then runs the plugins of the list one by one. A
plugin gets the command in its environment (CNI_COMMAND=ADD, CNI_NETNS ...) and
its part of the configuration on stdin; on stdout it answers with what it has
made, and that is the next plugin's ``prevResult``.

    config.py       a file of the directory -> NetworkConfig
    versions.py     which version of the specification is spoken
    runtime.py      what a container asks of a network: ports, an address ...
    plugin.py       one run of one plugin: found, fed, timed, its errors told
    result.py       what ADD answered -> Result: interfaces, addresses, routes
    attachment.py   the record of an ADD, from which DEL works after a crash
    chain.py        ADD, CHECK and DEL of a whole list
    collect.py      GC of what nobody uses any more, and STATUS
    steps.py        the same in the plan of a start

None of it is on the way of a start without CNI, so nothing here counts imports.
https://github.com/containernetworking/cni/blob/spec-v1.1.0/SPEC.md and
CONVENTIONS.md beside it. Next: chain.py.
"""

from __future__ import annotations

from minirun.network.cni.attachment import Attachment, attachments_of, cached, find
from minirun.network.cni.chain import add, check, delete
from minirun.network.cni.collect import collect, status
from minirun.network.cni.config import NetworkConfig, Plugin, configs, load
from minirun.network.cni.plugin import PluginFailed
from minirun.network.cni.result import DNS, Address, Interface, Result, Route
from minirun.network.cni.runtime import Bandwidth, RuntimeConfig
from minirun.network.cni.steps import keep_netns, plug_in, refuse
from minirun.spec import Resolver

__all__ = [
    "NetworkConfig",
    "Plugin",
    "configs",
    "load",
    "add",
    "check",
    "delete",
    "RuntimeConfig",
    "Bandwidth",
    "Resolver",
    "Result",
    "Interface",
    "Address",
    "Route",
    "DNS",
    "PluginFailed",
    "Attachment",
    "attachments_of",
    "cached",
    "find",
    "collect",
    "status",
    "keep_netns",
    "plug_in",
    "refuse",
]
