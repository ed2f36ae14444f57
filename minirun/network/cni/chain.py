"""ADD, CHECK and DEL of a whole list of plugins.

Layer ``network``, part of ``cni``.

    ADD     first to last; each one's answer is the next one's prevResult.
            One fails: DEL for all of them, also those that never ran
    CHECK   first to last, each with the answer of the last
    DEL     last to first, each with the answer of the last; one that fails does
            not keep the others from their part, and the record stays for
            another try

The plugins run on the host, in the namespaces of the caller; ``netns`` tells
them where the container is. SPEC.md, sections 2 and 3. Next: collect.py.
"""

from __future__ import annotations

from minirun.errors import Conflict, InvalidInput, MinirunError, NotFound, Unsupported
from minirun.network.cni import attachment as records
from minirun.network.cni import plugin as programs
from minirun.network.cni import result, runtime, versions
from minirun.network.cni.attachment import Attachment, Turn
from minirun.network.cni.config import NetworkConfig
from minirun.network.cni.plugin import INCOMPATIBLE, Caller, PluginFailed
from minirun.network.cni.result import Result
from minirun.network.cni.runtime import RuntimeConfig
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minirun.network.cni.config import Plugin
    from minirun.spec import Port


def _shown(command: str) -> Callable[..., str]:
    """How a plan shows it: the plugins in their order, and where they work."""

    def show(network: NetworkConfig | str, _id: object, netns: object, interface: object, *_: object) -> str:
        listed = network.plugins if isinstance(network, NetworkConfig) else ()
        kinds = [plugin.type for plugin in listed] or [f"the plugins of {network}"]
        words = ", ".join(kinds if command == "ADD" else reversed(kinds))
        return f"execve({words}; CNI_COMMAND={command} CNI_NETNS={netns} CNI_IFNAME={interface})"

    return show


@syscall("execve", show=_shown("ADD"))
def add(
    config: NetworkConfig,
    container_id: str,
    netns: str,
    interface: str,
    ports: Sequence[Port] = (),
    state: str = "/run/minirun",
    paths: Sequence[str] = (),
    timeout: float = 60.0,
    args: dict[str, str] | None = None,
    asked: RuntimeConfig | None = None,
) -> Result:
    """Brings a container onto a network: ADD for each plugin; what came of it.

    ``netns`` is the path of the container's network namespace, ``interface`` the
    name it gets there. ``ports`` and ``asked`` are for the plugins that have the
    capability, ``args`` become CNI_ARGS (plugins refuse keys that they do not
    know, unless IgnoreUnknown=1 is among them). ``paths`` are looked through for
    plugins, else CNI_PATH's, else /opt/cni/bin and /usr/lib/cni. ``timeout`` is in
    seconds, for each plugin. ``state`` keeps the record: a directory that lasts
    as long as what the plugins keep on disk, such as their addresses.

    Raises Unsupported for what no plugin can do, NotFound for a plugin that is
    not there, Conflict for a second ADD, PluginFailed and its like for the rest;
    then nothing is left of it.
    """
    records.check_names(config.name, container_id, interface)
    programs.check_args(args or {})
    if not netns:
        raise InvalidInput("ADD needs a network namespace", "its path is empty", "give /proc/PID/ns/net")
    wanted = runtime.asked(config, asked or RuntimeConfig(), ports)
    caller = Caller(
        network=config.name,
        container_id=container_id,
        netns=netns,
        interface=interface,
        args=args or {},
        paths=programs.places(tuple(paths)),
        timeout=timeout,
    )
    with Turn(state, container_id, config.name):
        _refuse_second(caller, state)
        attachment = Attachment(
            config=config,
            version=_version(caller, config),
            container_id=container_id,
            interface=interface,
            netns=netns,
            paths=caller.paths,
            args=args or {},
            runtime=wanted,
        )
        return _add(caller, attachment, state)


@syscall("execve", show=_shown("DEL"))
def delete(
    network: NetworkConfig | str,
    container_id: str,
    netns: str,
    interface: str,
    state: str = "/run/minirun",
    paths: Sequence[str] = (),
    timeout: float = 60.0,
) -> None:
    """Takes a container off a network: DEL for each plugin, in reverse.

    What ADD was told counts, from its record. Where there is none (it was
    deleted already, or never added) the plugins of ``network`` are asked
    nevertheless if it is a NetworkConfig; with a mere name there is nothing to
    do. ``netns`` is "" when the namespace is gone.

    Raises PluginFailed or its like after all plugins had their turn; the record
    is kept then, so that it can be tried again.
    """
    name = network if isinstance(network, str) else network.name
    records.check_names(name, container_id, interface)
    with Turn(state, container_id):
        attachment = records.find(state, name, container_id, interface)
        if attachment is None and isinstance(network, NetworkConfig):
            attachment = Attachment(
                config=network,
                version=network.versions[-1],
                container_id=container_id,
                interface=interface,
                netns=netns,
            )
        if attachment is not None:
            take_off(attachment, netns, state, paths, timeout)


def check(
    network: NetworkConfig | str,
    container_id: str,
    netns: str,
    interface: str,
    state: str = "/run/minirun",
    paths: Sequence[str] = (),
    timeout: float = 60.0,
) -> None:
    """Asks the plugins whether the container is still as ADD left it (CHECK).

    Nothing is asked where the configuration says ``disableCheck``. Raises
    PluginFailed with what is wrong, NotFound without an ADD before, Unsupported
    before CNI 0.4.0.
    """
    name = network if isinstance(network, str) else network.name
    records.check_names(name, container_id, interface)
    with Turn(state, container_id):
        attachment = records.find(state, name, container_id, interface)
        if attachment is None or not attachment.complete:
            raise NotFound(
                f"container {container_id} is not on CNI network {name} by {interface}",
                "there is no record of an ADD that went well",
                "add it first",
            )
        if not versions.at_least(attachment.version, "0.4.0"):
            raise Unsupported(
                f"CNI network {name} cannot be checked",
                f"it is written in CNI {attachment.version}, and CHECK came with 0.4.0",
                f"set cniVersion in {attachment.config.path} to 0.4.0 or later",
            )
        if attachment.config.disableCheck:
            return
        caller = _caller(attachment, netns, paths, timeout)
        for plugin in attachment.config.plugins:
            programs.run(caller, "CHECK", plugin.type, _request(attachment, plugin, attachment.result))


def take_off(attachment: Attachment, netns: str, state: str, paths: Sequence[str], timeout: float) -> None:
    """DEL for each plugin, with the lock held; the record goes when all went well. Raises the first error."""
    caller = _caller(attachment, netns, paths, timeout)
    config = attachment.config
    known = attachment.result if versions.at_least(attachment.version, "0.4.0") else {}
    failures = []
    for plugin in reversed(config.plugins):
        try:
            programs.run(caller, "DEL", plugin.type, _request(attachment, plugin, known))
        except MinirunError as error:
            # Who refuses the version refused it at ADD as well, and so has done nothing.
            refused = isinstance(error, PluginFailed) and error.code == INCOMPATIBLE
            if not refused or attachment.complete:
                failures.append(error)
    if failures:
        raise failures[0]
    records.forget(state, config.name, attachment.container_id, attachment.interface)


def _add(caller: Caller, attachment: Attachment, state: str) -> Result:
    told = Result()
    try:
        # On record before anything runs: what is killed from here on can be taken off again.
        records.save(attachment, state)
        for plugin in attachment.config.plugins:
            request = _request(attachment, plugin, attachment.result)
            answer = programs.ask(caller, "ADD", plugin.type, request)
            told = result.read(answer, attachment.version, f"the answer of plugin {plugin.type} to ADD")
            # Also the half-way answer: firewall finds in it what it has to take away.
            attachment = replace(attachment, result=answer)
            records.save(attachment, state)
        records.save(replace(attachment, complete=True), state)
    except BaseException as error:
        _take_back(caller, attachment, state, error)
        raise
    return told


def _take_back(caller: Caller, attachment: Attachment, state: str, error: BaseException) -> None:
    """DEL after a failed ADD. If that fails as well, the error tells of both and the record stays."""
    try:
        take_off(attachment, caller.netns, state, caller.paths, caller.timeout)
    except MinirunError as second:
        if isinstance(error, MinirunError):
            error.why += f"; and then {second.what}: {second.why} (`minirun gc` tries that again)"


def _refuse_second(caller: Caller, state: str) -> None:
    earlier = records.find(state, caller.network, caller.container_id, caller.interface)
    if earlier is None:
        return
    if not earlier.complete:  # killed at it: we have the lock, so nobody is at it now
        take_off(earlier, "", state, caller.paths, caller.timeout)
        return
    raise Conflict(
        f"container {caller.container_id} is on CNI network {caller.network} already, by {caller.interface}",
        "CNI allows one ADD until there was a DEL",
        "take it off first; `minirun gc` does so for what a crash left",
    )


def _version(caller: Caller, config: NetworkConfig) -> str:
    """The version to speak. Raises NotFound for a missing plugin before the first one does something."""
    for plugin in config.plugins:
        programs.find(plugin.type, caller.paths, config.name)
    if len(config.versions) == 1:  # no choice, so no question: each plugin refuses by itself
        return config.versions[0]
    offers = {plugin.type: programs.supported(caller, plugin.type) for plugin in config.plugins}
    return versions.agreed(config.versions, offers, config.name)


def _caller(attachment: Attachment, netns: str, paths: Sequence[str], timeout: float) -> Caller:
    return Caller(
        network=attachment.config.name,
        container_id=attachment.container_id,
        netns=netns,
        interface=attachment.interface,
        args=attachment.args,
        paths=known_places(attachment, paths),
        timeout=timeout,
    )


def known_places(attachment: Attachment, paths: Sequence[str]) -> tuple[str, ...]:
    """Where to look for its plugins: where the caller says, else where ADD found them, then as ever."""
    return tuple(paths) or tuple(dict.fromkeys((*attachment.paths, *programs.places())))


def _request(attachment: Attachment, plugin: Plugin, previous: dict[str, Any]) -> dict[str, Any]:
    """A plugin's part of the configuration as it gets it (SPEC.md, "Deriving request configuration")."""
    told = runtime.told(plugin.capabilities, attachment.runtime)
    request = {**plugin.object, "cniVersion": attachment.version, "name": attachment.config.name}
    for field, value in (("runtimeConfig", told), ("prevResult", previous)):
        if value:
            request[field] = value
        else:
            request.pop(field, None)
    # 1.0.0, section 3: capabilities are for the runtime; a plugin is not told of them.
    request.pop("capabilities", None)
    return request
