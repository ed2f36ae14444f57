"""A host of the test's own, on which minirun runs CNI's real plugins.

They change bridges, addresses, iptables and sysctls. So the "host" is a forked
child of the tests with network and mount namespaces of its own, in which /run is
empty; what its commands start lives there too, and all of it goes with them. Its
store is its own, with a copy of the session's image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minirun.container.state import Store
from minirun.linux import mount, namespace
from minirun.linux.mount import MountFlag
from minirun.linux.namespace import CloneFlag
from minirun.linux.trial import in_child
from tests.conftest import Minirun
from tests.unit.cni_plugin import PROGRAM

PLUGINS = "/usr/lib/cni"
has_plugins = pytest.mark.skipif(
    not os.path.exists(f"{PLUGINS}/bridge"), reason="this machine lacks: containernetworking-plugins"
)


class Host:
    """``host("run", "--network", "cni:net", ...)`` runs minirun there; ``place`` is for its files."""

    def __init__(self, place: Path, images: Path) -> None:
        self.place = place
        self.root, self.state = place / "root", place / "state"
        self.networks = place / "net.d"
        self.addresses = place / "addresses"
        self.log = place / "log"
        for directory in (self.root, self.networks):
            directory.mkdir(mode=0o711)
        for name in ("images", "layers"):
            shutil.copytree(images / name, self.root / name, symlinks=True)
        namespace.unshare(CloneFlag.NEWNET | CloneFlag.NEWNS)
        mount.mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        mount.mount("tmpfs", "/run", "tmpfs", MountFlag(0), None)
        run("ip", "link", "set", "lo", "up")
        os.environ["NETCONFPATH"] = str(self.networks)
        os.environ["CNI_PATH"] = f"{place / 'bin'}:{PLUGINS}"
        self.minirun = Minirun(self.root, self.state)
        self.store = Store(root=str(self.root), state=str(self.state))

    def __call__(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.minirun(*words, **options)

    def configure(self, name: str, *plugins: dict[str, Any], version: str = "1.0.0") -> None:
        """Writes the conflist of the network ``name``."""
        whole = {"cniVersion": version, "name": name, "plugins": plugins}
        (self.networks / f"{name}.conflist").write_text(json.dumps(whole))

    def usual(self, name: str = "net", number: int = 1, **bridge: Any) -> None:
        """The network ``name`` as distributions have it: 10.245.NUMBER.0/24 on the bridge cniNUMBER."""
        firewall = {"type": "firewall", "backend": "iptables"}
        self.configure(name, self.bridge(number, **bridge), PORTMAP, firewall)

    def bridge(self, number: int = 1, **more: Any) -> dict[str, Any]:
        """The part of the bridge plugin."""
        return {
            "type": "bridge",
            "bridge": f"cni{number}",
            "isGateway": True,
            "ipMasq": True,
            "capabilities": {"ips": True, "mac": True},
            "ipam": self.host_local(number),
            **more,
        }

    def host_local(self, number: int = 1) -> dict[str, Any]:
        """Addresses of 10.245.NUMBER.0/24, kept in the test's directory."""
        return {
            "type": "host-local",
            "ranges": [[{"subnet": f"10.245.{number}.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(self.addresses),
        }

    def spy(self, kind: str, **said: Any) -> dict[str, Any]:
        """A plugin of the test's own, which does what its part says, and is logged (cni_plugin.py)."""
        path = self.place / "bin" / kind
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROGRAM)
        path.chmod(0o755)
        return {"type": kind, "log": str(self.log), **said}

    def spied(self) -> list[tuple[str, dict[str, Any]]]:
        """The command and the request of each run of a spy."""
        return [tuple(json.loads(line)[::2]) for line in self.log.read_text().splitlines()]

    def start(self, name: str, *flags: str) -> dict[str, Any]:
        """A container that sleeps; what ``inspect`` tells of it."""
        self("run", "-d", "--name", name, *flags, "busybox", "sleep", "1000", check=True)
        return self.inspected(name)

    def serve(self, name: str, *flags: str) -> str:
        """A web server that answers already; its first address."""
        script = "mkdir /w; echo page > /w/index.html; httpd -p 80 -h /w; echo ready; exec sleep 1000"
        self("run", "-d", "--name", name, *flags, "busybox", "sh", "-c", script, check=True)
        log = subprocess.Popen(self.minirun.command("logs", "-f", name), stdout=subprocess.PIPE)
        assert log.stdout and log.stdout.readline() == b"ready\n"
        log.kill()
        log.communicate()
        return str(self.inspected(name)["networks"][0]["addresses"][0]).partition("/")[0]

    def inspected(self, name: str) -> dict[str, Any]:
        """`inspect` of one container."""
        found: dict[str, Any] = json.loads(self("inspect", name, check=True).stdout)[0]
        return found

    def traces(self) -> set[str]:
        """Whatever containers have on this host of networks; nothing, where there are none."""
        found = {f"address {path.name}" for path in self.addresses.glob("*/[0-9]*")}
        found |= {f"record {path.name}" for path in (self.root / "cni/results").glob("*")}
        found |= {f"mount {line}" for line in mounts() if f"{self.state}/" in line}
        found |= {f"link {name}" for name in links() if not name.startswith(("lo", "cni", "minirun", "mr-"))}
        found |= {f"rule {rule}" for rule in iptables() if "10.245." in rule or "CNI-DN-" in rule}
        found |= {f"port {path.name}" for path in self.state.glob("ports/*-*")}
        for path in self.state.glob("networks/*/names"):
            found |= {f"{path}: {line}" for line in path.read_text().splitlines()}
        return found


PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}}


def on_a_host(test: Callable[[Host], object]) -> Callable[..., None]:
    """Runs a test in a forked child whose host it may spoil. The child's exception fails the test."""

    def wrapped(loaded_minirun: Minirun, test_dir: Path) -> None:
        place = Path(tempfile.mkdtemp(prefix="cni.", dir=test_dir))
        place.chmod(0o711)
        in_child(lambda: told(place, loaded_minirun.root))

    def told(place: Path, images: Path) -> None:
        host = None
        try:
            host = Host(place, images)
            test(host)
        except BaseException:
            traceback.print_exc()  # of which the parent gets the last line only
            raise
        finally:
            if host:
                host.minirun.remove_all()

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


def run(*words: str) -> str:
    """What a command prints."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def links() -> list[str]:
    """The host's interfaces."""
    return [link["ifname"] for link in json.loads(run("ip", "-j", "link", "show"))]


def iptables() -> set[str]:
    """Every rule of the host, and every chain."""
    return set(run("iptables-save").splitlines())


def mounts() -> list[str]:
    """The host's mounts."""
    return Path("/proc/self/mountinfo").read_text().splitlines()
