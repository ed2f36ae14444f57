"""A CNI plugin for tests, and a network made of several: what it does is said in its configuration.

``Network(tmp_path, [{"type": "one", "ADD": "fail(7, 'no')"}])`` writes the
programs and the conflist. A plugin runs the Python of its command if there is
any, else it answers well. ``runs()`` tells which ran, in order, and with what.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from minirun.network import cni
from minirun.network.cni.config import NetworkConfig

PROGRAM = f"""#!{sys.executable} -IS
import json, os, signal, sys, time
raw = sys.stdin.read()
request = json.loads(raw or "{{}}")
command = os.environ["CNI_COMMAND"]
name = os.path.basename(sys.argv[0])

def answer(**more):
    number = len(request.get("prevResult", {{}}).get("ips", []))
    ips = [{{"address": f"10.9.{{n}}.2/24"}} for n in range(number + 1)]
    print(json.dumps({{"cniVersion": request["cniVersion"], "ips": ips, **more}}))

def fail(code, msg, details=""):
    print(json.dumps({{"cniVersion": "1.0.0", "code": code, "msg": msg, "details": details}}))
    sys.exit(1)

if "log" in request:
    environment = {{key: value for key, value in os.environ.items() if key.startswith("CNI_")}}
    with open(request["log"], "a") as log:
        log.write(json.dumps([command, name, request, environment]) + "\\n")
if command == "VERSION":
    speaks = open(sys.argv[0] + ".versions").read().split()
    print(json.dumps({{"cniVersion": "1.0.0", "supportedVersions": speaks}}))
else:
    exec(request.get(command, "answer()" if command == "ADD" else ""))
"""


class Run:
    """One run of a plugin, as it saw it."""

    def __init__(self, command: str, name: str, request: dict[str, Any], environment: dict[str, str]) -> None:
        self.command = command
        self.name = name
        self.request = request
        self.environment = environment


class Network:
    """A conflist of fakes below ``place``; ``state`` and ``paths`` are for the functions of cni."""

    def __init__(self, place: Path, plugins: list[dict[str, Any]], **fields: Any) -> None:
        self.programs = place / "bin"
        self.directory = place / "net.d"
        self.log = place / "log"
        self.state = str(place / "state")
        self.paths = (str(self.programs),)
        self.programs.mkdir(exist_ok=True)
        self.directory.mkdir(exist_ok=True)
        for plugin in plugins:
            self.install(plugin["type"])
        self.configure(plugins, **fields)

    def install(self, kind: str, versions: str = "0.3.0 0.3.1 0.4.0 1.0.0 1.1.0") -> None:
        """Writes the program of a plugin, which says that it speaks ``versions``."""
        program = self.programs / kind
        program.write_text(PROGRAM)
        program.chmod(0o755)
        (self.programs / f"{kind}.versions").write_text(versions)

    def configure(self, plugins: list[dict[str, Any]], **fields: Any) -> None:
        """Writes the conflist (again)."""
        parts = [{"log": str(self.log), **plugin} for plugin in plugins]
        whole = {"cniVersion": "1.0.0", "name": "net", "plugins": parts, **fields}
        (self.directory / "net.conflist").write_text(json.dumps(whole))

    def config(self) -> NetworkConfig:
        """The network as it is in the directory."""
        return cni.load("net", str(self.directory))

    def add(self, id: str = "c1", **options: Any) -> cni.Result:
        """ADD for the container ``id``."""
        options = {"state": self.state, "paths": self.paths, "timeout": 20.0, **options}
        return cni.add(self.config(), id, "/proc/1/ns/net", "eth0", **options)

    def delete(self, id: str = "c1", **options: Any) -> None:
        """DEL by the network's name: what the record says counts."""
        cni.delete("net", id, "", "eth0", self.state, self.paths, **options)

    def check(self, id: str = "c1") -> None:
        """CHECK."""
        cni.check("net", id, "/proc/1/ns/net", "eth0", self.state, self.paths)

    def runs(self) -> list[Run]:
        """Each run so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [Run(*json.loads(line)) for line in lines]

    def told(self) -> list[str]:
        """``ADD one`` and so on."""
        return [f"{run.command} {run.name}" for run in self.runs()]

    def records(self) -> list[Path]:
        """The files that remember attachments, also half-written ones."""
        place = Path(self.state, "cni", "results")
        return sorted(place.iterdir()) if place.is_dir() else []
