"""What goes wrong with `run --network cni:NAME`: it is said, with what to do, and nothing is left of it.

Each test has a host of its own (cni_host.py), with the real plugins and some that misbehave.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from minirun.container import cni_wiring
from minirun.container.connect import connect, disconnect
from minirun.container.gc import gc
from minirun.container.options import Options
from minirun.linux import mount
from minirun.linux.mount import UmountFlag
from minirun.values import replace
from tests.leaks import wait_for
from tests.lifecycle import attempts
from tests.lifecycle.interruptions import COMMAND, HOST_SIDE, Killer, each_moment, interrupted
from tests.needs import needs
from tests.network.cni_host import Host, has_plugins, mounts, on_a_host, run

pytestmark = [needs("root", "overlay", "ip", "iptables"), has_plugins]


@on_a_host
def test_refused_before_anything_starts(host: Host) -> None:
    """What a look at the configuration tells: exit 125, what, why, and what to do."""
    host.usual()
    (host.networks / "broken.conflist").write_text('{"cniVersion": "1.0.0", "name": "broken", "plugins": [')
    host.configure("bare", {"type": "bridge", "bridge": "cni7", "ipam": host.host_local()})
    host.configure("lacking", host.bridge(), {"type": "nowhere-to-be-found"})
    host.configure("future", host.bridge(), version="9.9.9")
    for words, what in (
        (("cni:unknown",), "no CNI network unknown"),
        (("cni:broken",), "broken.conflist"),
        (("cni:future",), "9.9.9"),
        (("cni:lacking",), "nowhere-to-be-found"),
        (("cni:../net.d/net",), "../net.d/net"),
        (("cni:bare", "-p", "80:80"), "portMappings"),
        (("cni:bare", "--ip", "10.245.1.9"), "ips"),
        (("cni:bare", "--mac-address", "02:42:00:00:00:07"), "mac"),
        (("cni:net", "--ip", "10.245.1"), "10.245.1"),
        (("cni:net", "--network", "cni:net"), "twice"),
        (("cni:net", "--network", "none"), "none"),
        (("cni:net", "--network", "cni:unknown"), "no CNI network unknown"),
    ):
        refused = host("run", "--rm", "--network", *words, "busybox", "true")
        assert refused.returncode == 125, (words, refused)
        assert what in refused.stderr and "why: " in refused.stderr and "try: " in refused.stderr, words
        assert host.traces() == set(), words
        assert host("ps", "-a", "-q").stdout == "", words
    assert not (host.root / "cni/results").exists()


@on_a_host
def test_a_plugin_that_misbehaves(host: Host) -> None:
    """It says no, prints rubbish or nothing, dies, leaves out what has to be: told, and all is taken back."""
    for does, why in (
        ("fail(11, 'no more', 'the pool is empty')", "no more (the pool is empty), code 11"),
        ("print('hello')", "it printed 'hello'"),
        ("pass", "it printed nothing"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("answer(ips=[{'address': '10.0.0.300/24'}])", "10.0.0.300"),
        ("answer(dns={'search': ['a\\nnameserver 6.6.6.6']})", "resolv.conf"),
    ):
        host.configure("net", host.bridge(), host.spy("odd", ADD=does))
        refused = host("run", "--rm", "-p", "8080:80", "--network", "cni:net", "busybox", "true")
        assert refused.returncode == 125 and "portMappings" in refused.stderr  # for a moment: no portmap
        refused = host("run", "--rm", "--network", "cni:net", "busybox", "true")
        assert refused.returncode == 125, does
        assert "plugin odd" in refused.stderr and why in refused.stderr, (does, refused.stderr)
        assert "why: " in refused.stderr and "try: " in refused.stderr
        assert host.traces() == set(), does
        assert host("ps", "-a", "-q").stdout == ""


@on_a_host
def test_a_plugin_that_hangs(host: Host) -> None:
    """Its time is over some day; it is killed, and what the others made is taken back."""
    cni_wiring.TIMEOUT = 3.0
    host.configure("net", host.bridge(), host.spy("slow", ADD="time.sleep(1000)"))
    ended = attempts.finished(lambda: attempts.as_the_command(host.store, options_of("cni:net")))
    assert (
        ended.code == 125 and "plugin slow failed at ADD" in ended.said and "no end after 3 s" in ended.said
    )
    assert host.traces() == set() and host.store.ids() == []


@on_a_host
def test_killed_while_a_plugin_runs(host: Host) -> None:
    """kill -9 of the command and of the host side: the plugin goes with them, and gc does the rest."""
    (host.place / "fifo").touch()
    os.unlink(host.place / "fifo")
    os.mkfifo(host.place / "fifo")
    tell = f"open({str(host.place / 'fifo')!r}, 'w').write(str(os.getpid())); time.sleep(1000)"
    host.configure("net", host.bridge(), host.spy("slow", ADD=tell))
    command = host.minirun.popen("run", "--rm", "--network", "cni:net", "busybox", "true")
    plugin = int((host.place / "fifo").read_text())
    parent = int(Path(f"/proc/{plugin}/stat").read_text().rpartition(")")[2].split()[1])
    assert host.traces()
    os.kill(command.pid, signal.SIGKILL)
    os.kill(parent, signal.SIGKILL)
    command.wait()
    assert not wait_for(lambda: {name for name in [str(plugin)] if alive(name)})
    gc(host.store)
    assert host.traces() == set() and host.store.ids() == []


@on_a_host
def test_a_killed_monitor_leaves_nothing(host: Host) -> None:
    """The next gc ends the container, and takes it off with its namespace still in sight."""
    host.usual()
    shown = host.start("one", "--network", "cni:net", "-p", "80")
    os.kill(shown["state"]["monitor_pid"], signal.SIGKILL)
    assert not wait_for(lambda: set(filter(alive, [str(shown["state"]["monitor_pid"])])))
    host("gc", check=True)
    assert host.traces() == set()
    host("start", "one", check=True)


@on_a_host
def test_the_machine_was_restarted(host: Host) -> None:
    """/run is empty, nothing runs; the addresses that host-local keeps on disk are given back."""
    host.usual()
    for name in ("one", "two"):
        host.start(name, "--network", "cni:net")
    crash(host, "one", "two")
    assert {trace.split()[0] for trace in host.traces()} == {"address", "record", "rule"}
    host("start", "one", check=True)
    assert {one for one in host.traces() if one.startswith("address")} == {
        "address 10.245.1.3",
        "address 10.245.1.4",
    }
    assert "ended" in host("gc", check=True).stdout
    assert {one for one in host.traces() if one.startswith("address")} == {"address 10.245.1.4"}
    assert host("exec", "one", "ping", "-c", "1", "-W", "5", "10.245.1.1").returncode == 0


@on_a_host
def test_a_plugin_that_cannot_take_back(host: Host) -> None:
    """rm does not wait for it; gc says what is left, tries again, and in the end all is gone."""
    host.configure("net", host.bridge(), host.spy("stuck", ADD=PASS_ON, DEL=f"{FAILS} or fail(11, 'busy')"))
    host.start("one", "--network", "cni:net")
    (host.place / "stuck").touch()
    host("rm", "-f", "one", check=True)
    assert {trace.split()[0] for trace in host.traces()} == {"record"}
    said = host("gc", check=True).stdout
    assert "plugin stuck failed at DEL" in said and "busy" in said
    (host.place / "stuck").unlink()
    assert "off the CNI network net" in host("gc", check=True).stdout
    assert host.traces() == set()
    assert host("gc", check=True).stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["self", "all", "peer", "command"])
def test_killed_at_any_network_step(whom: str, loaded_minirun: Any, test_dir: Path) -> None:
    """SIGKILL right before and right after each; gc, and neither a file nor a rule is left."""

    @on_a_host
    def test(host: Host) -> None:
        host.usual("net", 1)
        host.usual("two", 2)
        options = replace(options_of("cni:net", "cni:two"), publish=("8080:80",), network_alias=("shop",))
        every_lock(host)
        plan = attempts.plan_of(host.store, options)
        assert attempts.disturbed(host.store, options, 0, "", "self").code == 0
        clean = attempts.traces(host.store)
        assert host.traces() == set()
        wrong = []
        for number, step in enumerate(plan, 1):
            if step.chapter != "08":
                continue
            for moment in ("before", "after") if whom in ("self", "all") else ("before",):
                ended = attempts.disturbed(host.store, options, number, moment, whom)
                swept = gc(host.store)
                left = (attempts.traces(host.store) - clean) | wait_for(host.traces)
                if left or not ended.reached:
                    what = f"{moment} {number} ({step.side}: {step.title})"
                    wrong.append(f"{what}: left {sorted(left)}; gc said {swept}; {ended}")
        assert not wrong, "\n".join(wrong)

    test(loaded_minirun, test_dir)


@pytest.mark.slow
@on_a_host
def test_killed_between_changes_to_files(host: Host) -> None:
    """Between the record of one plugin's answer and that of the next: no plan has these moments."""
    host.usual()
    every_lock(host)
    options = replace(options_of("cni:net"), publish=("8080:80",))

    def work() -> int:
        return attempts.as_the_command(host.store, options)

    assert attempts.finished(work).code == 0
    count = Killer()
    assert interrupted(work, count).code == 0
    clean = attempts.traces(host.store)
    wrong = []
    assert count.count(HOST_SIDE) > 10
    for killer in each_moment(HOST_SIDE, count.count(HOST_SIDE), both=True):
        interrupted(work, killer)
        swept = gc(host.store)
        if left := (attempts.traces(host.store) - clean) | wait_for(host.traces):
            wrong.append(f"{killer.at}: left {sorted(left)}; gc said {swept}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@on_a_host
def test_killed_while_it_is_connected(host: Host) -> None:
    """Before any change to a file: it is on the network and that is on record, or it is not at all."""
    host.usual()
    host.start("one", "--network", "none")
    home = host.store.find("one")

    def work() -> int:
        connect(home, "cni:net")
        return 0

    count = Killer()
    assert interrupted(work, count).code == 0
    disconnect(home, "cni:net")
    mount_only = host.traces()
    assert {trace.split()[0] for trace in mount_only} == {"mount"}
    wrong = []
    for killer in each_moment(COMMAND, count.count(COMMAND)):
        interrupted(work, killer)
        gc(host.store)
        left = host.traces() - mount_only
        if home.record().spec.endpoints:
            disconnect(home, "cni:net")
        elif left:
            wrong.append(f"{killer.at}: left {sorted(left)}")
    assert not wrong, "\n".join(wrong)
    assert count.count(COMMAND) > 10
    host("rm", "-f", "one", check=True)
    assert host.traces() == set()


#: What a spy does: it answers as the plugin before it, and it finds the file of which it is told.
PASS_ON = "print(json.dumps(request['prevResult']))"
FAILS = "not os.path.exists(os.path.dirname(request['log']) + '/stuck')"


def every_lock(host: Host) -> None:
    """The files of locks stay: all of them are there before anybody looks for what is new."""
    (host.root / "cni/locks").mkdir(parents=True)
    for slot in range(64):
        (host.root / f"cni/locks/container-{slot}").touch()


def options_of(*networks: str) -> Options:
    """A container on these networks."""
    return Options(image="busybox", command=("true",), name="disturbed", network=networks, rm=True)


def alive(pid: str) -> bool:
    """Whether a process runs, be it nobody's child."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def crash(host: Host, *names: str) -> None:
    """As after a power cut: no process, no mount, no file of STATE; what is on disk stays."""
    for name in names:
        state = host.inspected(name)["state"]
        for pid in (state["monitor_pid"], state["pid"]):
            os.kill(pid, signal.SIGKILL)
        pids = str(state["monitor_pid"]), str(state["pid"])
        assert not wait_for(lambda pids=pids: set(filter(alive, pids)))
    for line in mounts():
        if f"{host.state}/" in line:
            mount.umount2(line.split()[4], UmountFlag.MNT_DETACH)
    shutil.rmtree(host.state)
    for link in run("ip", "-br", "link").split("\n"):
        if link.startswith("veth"):
            subprocess.run(["ip", "link", "delete", link.split("@")[0]], check=False)
