"""GC: what nobody uses any more is taken off its network. STATUS: is it ready?

Layer ``network``, part of ``cni``. A container whose DEL never came (a crash, a
power cut) has its record still, so it can be had now. Since CNI 1.1.0 the
plugins are told afterwards what is still in use, and drop the rest of what they
keep. SPEC.md, section 2, "GC" and "STATUS". Next: steps.py.
"""

from __future__ import annotations

from minirun.errors import MinirunError
from minirun.network.cni import plugin as programs
from minirun.network.cni import versions
from minirun.network.cni.attachment import Alone, Attachment, cached, sweep
from minirun.network.cni.chain import known_places, take_off
from minirun.network.cni.plugin import Caller
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minirun.network.cni.config import NetworkConfig


def collect(
    state: str,
    is_alive: Callable[[Attachment], bool],
    paths: Sequence[str] = (),
    timeout: float = 60.0,
    netns_of: Callable[[Attachment], str] = lambda _: "",
) -> tuple[list[Attachment], list[MinirunError]]:
    """Takes off their networks those that are not alive; these, and what went wrong.

    ``netns_of`` tells where the container's network namespace still is, "" for
    gone. ``is_alive`` is asked while no ADD and no DEL goes on. An attachment that is
    not ``complete`` is one whose ADD was killed, so it is not asked for these.
    """
    removed: list[Attachment] = []
    staying: list[Attachment] = []
    with Alone(state):
        sweep(state)
        found, errors = cached(state)
        for attachment in found:
            if attachment.complete and is_alive(attachment):
                staying.append(attachment)
                continue
            try:
                take_off(attachment, netns_of(attachment), state, paths, timeout)
                removed.append(attachment)
            except MinirunError as error:
                errors.append(error)
        for network in {attachment.config.name: attachment for attachment in found}.values():
            errors += _tell(network, staying, known_places(network, paths), timeout)
    return removed, errors


def status(config: NetworkConfig, paths: Sequence[str] = (), timeout: float = 60.0) -> None:
    """Asks whether the network takes containers; before CNI 1.1.0 there is no such question.

    Raises NotFound for a plugin that is not there, PluginFailed (code 50 or 51) for one that is not ready.
    """
    caller = Caller(network=config.name, paths=programs.places(tuple(paths)), timeout=timeout)
    for plugin in config.plugins:
        programs.find(plugin.type, caller.paths, config.name)
    offers = {plugin.type: programs.supported(caller, plugin.type) for plugin in config.plugins}
    version = versions.agreed(config.versions, offers, config.name)
    if versions.at_least(version, "1.1.0"):
        for plugin in config.plugins:
            programs.run(caller, "STATUS", plugin.type, _request(plugin.object, config.name, version))


def _tell(
    one: Attachment, staying: list[Attachment], paths: tuple[str, ...], timeout: float
) -> list[MinirunError]:
    """GC for the plugins of the network that ``one`` is on; what went wrong."""
    config = one.config
    if config.disableGC or not versions.at_least(one.version, "1.1.0"):
        return []
    valid = [
        {"containerID": stays.container_id, "ifname": stays.interface}
        for stays in staying
        if stays.config.name == config.name
    ]
    caller = Caller(network=config.name, paths=paths, timeout=timeout)
    errors = []
    for plugin in config.plugins:
        request = _request(plugin.object, config.name, one.version)
        request["cni.dev/valid-attachments"] = valid
        try:
            programs.run(caller, "GC", plugin.type, request)
        except MinirunError as error:
            errors.append(error)
    return errors


def _request(part: dict[str, Any], name: str, version: str) -> dict[str, Any]:
    request = {**part, "cniVersion": version, "name": name}
    request.pop("capabilities", None)
    return request
