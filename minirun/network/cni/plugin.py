"""One run of one plugin: it is found, fed, timed, and what went wrong is told.

Layer ``network``, part of ``cni``. The protocol: the command and the container
in the environment, the configuration on stdin, the answer on stdout, exit 0;
else an error as JSON on stdout. A plugin is somebody else's program with root's
powers, so it gets a time and a size to stay within, and its process group is
killed when it does not, or when minirun is interrupted. What it leaves running
when it ends well (a DHCP client, a dnsmasq) is left alone. SPEC.md, section 2.
Next: result.py.
"""

from __future__ import annotations

import os
from typing import Any

from minirun.errors import InvalidInput, MinirunError, NotFound, StepFailed, Unsupported, one_line, reason
from minirun.linux import process
from minirun.network.cni import versions
from minirun.network.cni.exchange import Exchange, TooMuch, TooSlow
from minirun.values import Value, decode

#: Where plugins are looked for, unless the caller or CNI_PATH says otherwise.
PATHS = ("/opt/cni/bin", "/usr/lib/cni")
#: Plugins call iptables and the like; a login shell's PATH may lack their directories.
_SYSTEM = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

#: The error code of a plugin that does not speak the version it was asked in.
INCOMPATIBLE = 1


class PluginFailed(StepFailed):
    """A plugin said no. ``code`` is its own (SPEC.md, "Error"), 0 when it gave none."""

    code = 0


class Caller(Value):
    """What all plugins of a list are told alike. ``timeout`` is in seconds, for each run."""

    network: str
    container_id: str = ""
    netns: str = ""
    interface: str = ""
    args: dict[str, str] = {}
    paths: tuple[str, ...] = PATHS
    timeout: float = 60.0


def places(paths: tuple[str, ...] = ()) -> tuple[str, ...]:
    """``paths``, else those of CNI_PATH, else PATHS."""
    return paths or tuple(filter(None, os.environ.get("CNI_PATH", "").split(":"))) or PATHS


def find(kind: str, paths: tuple[str, ...], network: str) -> str:
    """The program of the plugin type ``kind``. Raises NotFound, with the places looked at."""
    for directory in paths:
        path = f"{directory}/{kind}"
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise NotFound(
        f"CNI network {network} needs the plugin {kind}, which is not there",
        f"no executable {kind} in {', '.join(paths)}",
        "install it (Debian: containernetworking-plugins), or name its directory in CNI_PATH",
    )


def supported(caller: Caller, kind: str) -> tuple[str, ...]:
    """The versions that a plugin speaks, by its own word (VERSION). Raises MinirunError."""
    try:
        answer = run(caller, "VERSION", kind, {"cniVersion": versions.KNOWN[-1]})
    except PluginFailed as error:
        if "unknown CNI_COMMAND" in error.why:  # VERSION came with 0.2.0
            return ("0.1.0",)
        raise
    return decode(answer, _Versions, f"the answer of plugin {kind} to VERSION").supportedVersions


def ask(caller: Caller, command: str, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """Runs a plugin that has to answer; its answer as it stands. Raises MinirunError."""
    answer = run(caller, command, kind, request)
    what = f"the answer of plugin {kind} to {command}"
    if not answer.strip():
        raise InvalidInput(f"{what} is not valid", "it printed nothing", "the plugin is broken: replace it")
    try:
        return decode(answer, dict[str, Any], what)
    except InvalidInput as error:
        why = f"{error.why}; it printed {_excerpt(answer)!r}"
        raise InvalidInput(error.what, why, "the plugin is broken: replace it") from error


def run(caller: Caller, command: str, kind: str, request: dict[str, Any]) -> bytes:
    """Runs the plugin ``kind`` with ``request`` on its stdin; what it printed.

    Raises NotFound, PluginFailed with what it said, or StepFailed when it hangs,
    prints without end or cannot be executed.
    """
    import json
    import subprocess

    import prctl  # noqa: F401  # for die_with_parent: after the fork is no time to import

    path = find(kind, caller.paths, caller.network)
    what = f"CNI network {caller.network}: plugin {kind} failed at {command}"
    try:
        child = subprocess.Popen(
            [path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(caller, command),
            cwd="/",
            start_new_session=True,  # a process group to kill, and Ctrl-C is for us alone
            preexec_fn=process.die_with_parent,  # or it would go on while `gc` takes things back
        )
    except OSError as error:
        raise StepFailed(what, f"execve: {reason(error)}", "install the plugin for this machine") from error
    with Exchange(child, caller.timeout) as exchange:
        try:
            exchange.run(json.dumps(request).encode())
        except TooSlow as error:
            remedy = "look at what it waits for (`dmesg`, its own log); nothing of it runs any more"
            raise StepFailed(
                what, f"no end after {caller.timeout:g} s{_said(exchange.errors)}", remedy
            ) from error
        except TooMuch as error:
            raise StepFailed(
                what, f"{error}: {_excerpt(exchange.output)!r} ...", "replace that plugin"
            ) from error
    if exchange.status:
        raise _failure(what, exchange.status, exchange.output, exchange.errors)
    return exchange.output


class _Versions(Value):
    """The answer to VERSION."""

    supportedVersions: tuple[str, ...] = ()


class _Error(Value):
    """SPEC.md, "Error"."""

    code: int = 0
    msg: str = ""
    details: str = ""


#: The error codes of SPEC.md -> what to do.
_REMEDIES = {
    INCOMPATIBLE: "set cniVersion in its configuration to one that the plugin speaks",
    2: "remove that field from its configuration",
    3: "the container is gone, so there is nothing left to do for it",
    4: "the plugin wants other arguments (CNI_ARGS)",
    5: "look at the file or the device that it names",
    6: "correct the network's configuration",
    7: "correct the network's configuration",
    11: "try again in a moment",
    50: "the plugin cannot take new containers now: look at its log or its daemon",
    51: "the plugin cannot take new containers now, and those that it has may be cut off",
}


def _failure(what: str, status: int, output: bytes, errors: bytes) -> MinirunError:
    ended = f"it died of signal {-status}" if status < 0 else f"exit status {status}"
    try:
        told = decode(output, _Error, what)
    except MinirunError:
        printed = f", it printed {_excerpt(output)!r} and no error as JSON" if output.strip() else ""
        return PluginFailed(what, f"{ended}{printed}{_said(errors)}", "run it by hand, or replace it")
    details = f" ({one_line(told.details)})" if told.details.strip() else ""
    why = f"{one_line(told.msg) or ended}{details}, code {told.code}{_said(errors)}"
    failure = PluginFailed(what, why, _REMEDIES.get(told.code, "look at the plugin's documentation"))
    failure.code = told.code
    return failure


def _said(errors: bytes) -> str:
    """The end of what it wrote to stderr."""
    text = one_line(errors.decode(errors="replace"))
    return f"; it said: {text[-500:]}" if text else ""


def _excerpt(output: bytes) -> str:
    return one_line(output[:200].decode(errors="replace"))


def _environment(caller: Caller, command: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CNI_")}
    path = [part for part in ours.get("PATH", "").split(":") if part]
    ours["PATH"] = ":".join(path + [directory for directory in _SYSTEM if directory not in path])
    return {
        **ours,
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": caller.container_id,
        "CNI_NETNS": caller.netns,
        "CNI_IFNAME": caller.interface,
        "CNI_ARGS": ";".join(f"{name}={value}" for name, value in caller.args.items()),
        "CNI_PATH": ":".join(caller.paths),
    }


def check_args(args: dict[str, str]) -> None:
    """Raises Unsupported for what CNI_ARGS has no way to say: KEY=VALUE;KEY=VALUE knows no escapes."""
    for name, value in args.items():
        if not name or set(name) & set("=;\0") or set(value) & set(";\0"):
            raise Unsupported(
                f"cannot pass {name!r} to CNI plugins",
                "CNI_ARGS separates with ; and = and has no way to write them",
                "pass it in another form, or in the configuration",
            )
