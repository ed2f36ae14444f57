"""CNI: lists of plugins are run as the specification says, and what goes wrong leaves nothing behind.

The plugins are programs of the tests' own (cni_plugin.py); nothing of the kernel is touched.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import minirun
from minirun.errors import Conflict, InvalidInput, NotFound, StepFailed, Unsupported
from minirun.network import cni
from minirun.network.cni.attachment import Alone, Turn, find
from minirun.spec import Port
from tests.patience import until
from tests.unit.cni_plugin import Network

THREE: list[dict[str, Any]] = [
    {"type": "one", "capabilities": {"mac": True}},
    {"type": "two", "capabilities": {"portMappings": True}},
    {"type": "three"},
]


def test_each_answer_is_the_next_ones_previous_result(tmp_path: Path) -> None:
    """And the last one speaks for all."""
    network = Network(tmp_path, THREE)
    result = network.add()
    assert network.told() == ["ADD one", "ADD two", "ADD three"]
    previous = [run.request.get("prevResult", {}).get("ips") for run in network.runs()]
    assert [ips and len(ips) for ips in previous] == [None, 1, 2]
    assert [ip.address for ip in result.ips] == ["10.9.0.2/24", "10.9.1.2/24", "10.9.2.2/24"]


def test_what_a_plugin_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment and configuration as SPEC.md has them; a CNI_* of our own environment is not passed on."""
    monkeypatch.setenv("CNI_COMMAND", "DEL")
    # What the runtime writes there is not taken from the file.
    own = {"bridge": "b0", "prevResult": {"ips": []}, "runtimeConfig": {"mac": "no"}}
    network = Network(tmp_path, [{**plugin, **own} for plugin in THREE])
    network.add(
        ports=[Port(host_port=8080, port=80)],
        args={"IgnoreUnknown": "1", "K": "v"},
        asked=cni.RuntimeConfig(mac="02:42:00:00:00:01"),
    )
    one, two, three = network.runs()
    assert one.environment == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": "/proc/1/ns/net",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K=v",
        "CNI_PATH": str(network.programs),
    }
    assert one.request["runtimeConfig"] == {"mac": "02:42:00:00:00:01"}
    mapping = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}
    assert two.request["runtimeConfig"] == {"portMappings": [mapping]}
    assert "runtimeConfig" not in three.request
    assert "prevResult" not in one.request
    for run in network.runs():
        assert (run.request["name"], run.request["cniVersion"]) == ("net", "1.0.0")
        assert run.request["bridge"] == "b0"
        assert "capabilities" not in run.request


def test_delete_is_add_in_reverse(tmp_path: Path) -> None:
    """With what ADD was told, although the file says something else by now, or is gone."""
    network = Network(tmp_path, [{**plugin, "bridge": "old"} for plugin in THREE])
    network.add(asked=cni.RuntimeConfig(mac="02:42:00:00:00:01"), args={"K": "v"})
    (record,) = network.records()
    assert record.stat().st_mode & 0o777 == 0o600
    network.configure([{"type": "other"}])
    network.delete()
    assert network.told()[3:] == ["DEL three", "DEL two", "DEL one"]
    for run in network.runs()[3:]:
        assert run.request["bridge"] == "old"
        assert len(run.request["prevResult"]["ips"]) == 3
        assert run.environment["CNI_ARGS"] == "K=v"
        assert run.environment["CNI_NETNS"] == ""
    assert network.runs()[5].request["runtimeConfig"] == {"mac": "02:42:00:00:00:01"}
    assert network.records() == []


def test_a_second_delete_has_nothing_to_do(tmp_path: Path) -> None:
    """By name; with the configuration at hand the plugins are asked, for they may know more."""
    network = Network(tmp_path, THREE)
    network.add()
    network.delete()
    before = len(network.runs())
    network.delete()
    assert len(network.runs()) == before
    cni.delete(network.config(), "c1", "", "eth0", network.state, network.paths)
    assert network.told()[before:] == ["DEL three", "DEL two", "DEL one"]
    assert all("prevResult" not in run.request for run in network.runs()[before:])


def test_a_failed_add_is_taken_back_by_all(tmp_path: Path) -> None:
    """Also by those that never ran; they learn how far it came."""
    network = Network(
        tmp_path, [THREE[0], {"type": "two", "ADD": "fail(7, 'no such zone', 'zone blue')"}, THREE[2]]
    )
    with pytest.raises(cni.PluginFailed) as caught:
        network.add()
    assert network.told() == ["ADD one", "ADD two", "DEL three", "DEL two", "DEL one"]
    assert [len(run.request["prevResult"]["ips"]) for run in network.runs()[2:]] == [1, 1, 1]
    assert network.records() == []
    assert caught.value.code == 7
    assert caught.value.what == "CNI network net: plugin two failed at ADD"
    assert caught.value.why == "no such zone (zone blue), code 7"


def test_a_delete_that_fails_can_be_tried_again(tmp_path: Path) -> None:
    """The other plugins do their part; the record stays until all went well."""
    flag = tmp_path / "broken"
    broken = {"type": "two", "DEL": f"os.path.exists({str(flag)!r}) and fail(11, 'busy')"}
    network = Network(tmp_path, [THREE[0], broken, THREE[2]])
    network.add()
    flag.touch()
    with pytest.raises(cni.PluginFailed, match="plugin two failed at DEL"):
        network.delete()
    assert network.told()[3:] == ["DEL three", "DEL two", "DEL one"]
    assert len(network.records()) == 1
    flag.unlink()
    network.delete()
    assert network.records() == []


def test_a_plugin_that_was_replaced_by_an_older_one(tmp_path: Path) -> None:
    """It refuses the version at DEL, and did not at ADD: what it made is there, and so is the record."""
    network = Network(tmp_path, [{"type": "one", "DEL": "fail(1, 'incompatible CNI versions')"}])
    network.add()
    with pytest.raises(cni.PluginFailed, match="plugin one failed at DEL"):
        network.delete()
    assert len(network.records()) == 1


def test_an_add_and_its_undoing_both_fail(tmp_path: Path) -> None:
    """The error tells of both, and the record is there for gc."""
    network = Network(tmp_path, [{"type": "one", "ADD": "fail(5, 'disk')", "DEL": "fail(5, 'still disk')"}])
    with pytest.raises(cni.PluginFailed) as caught:
        network.add()
    assert "disk, code 5; and then" in caught.value.why
    assert "still disk" in caught.value.why
    assert len(network.records()) == 1


def test_one_add_until_there_was_a_delete(tmp_path: Path) -> None:
    """On another network, or by another interface, the same container may be."""
    network = Network(tmp_path, THREE)
    network.add()
    with pytest.raises(Conflict, match="already, by eth0"):
        network.add()
    assert len(network.runs()) == 3
    cni.add(network.config(), "c1", "/proc/1/ns/net", "eth1", (), network.state, network.paths)
    assert len(network.records()) == 2


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('rubbish'); sys.exit(3)", "exit status 3, it printed 'rubbish' and no error as JSON"),
        ("sys.stderr.write('panic: \\x1b[2J'); sys.exit(2)", "exit status 2; it said: panic: ?[2J"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "it died of signal 11"),
        ("print('rubbish')", "it printed 'rubbish'"),
        ("", "it printed nothing"),
        ("print('[]')", "Expected `object`, got `array`"),
        ("print('{}')", "cniVersion"),
        ("answer(cniVersion='0.4.0')", "its cniVersion is '0.4.0', and it was asked in '1.0.0'"),
        ("answer(ips=[{'address': 'here'}])", "`$.ips[0].address`"),
        ("sys.stdout.write('x' * (2 << 20))", "more than 1048576 bytes"),
        ("while True: os.write(1, b'x' * 65536)", "more than 1048576 bytes"),
    ],
)
def test_a_plugin_that_misbehaves(tmp_path: Path, code: str, told: str) -> None:
    """What it did is told; DEL was asked, and nothing is left."""
    network = Network(tmp_path, [{"type": "one", "ADD": code}])
    with pytest.raises((StepFailed, InvalidInput)) as caught:
        network.add()
    assert told in caught.value.why
    assert "one" in caught.value.what
    assert network.told() == ["ADD one", "DEL one"]
    assert network.records() == []


def test_a_plugin_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """After the time it has; a child that holds the pipes is in its process group."""
    pid_file = tmp_path / "pids"
    code = f"""
child = os.fork()
if child:
    open({str(pid_file)!r}, "w").write(f"{{os.getpid()}} {{child}}")
time.sleep(600)
"""
    network = Network(tmp_path, [{"type": "one", "ADD": code}])
    with pytest.raises(StepFailed, match="plugin one failed at ADD") as caught:
        network.add(timeout=3.0)
    assert caught.value.why == "no end after 3 s"
    assert network.records() == []
    for pid in pid_file.read_text().split():
        wait_until_gone(int(pid))


def test_a_daemon_that_a_plugin_leaves_is_not_waited_for(tmp_path: Path) -> None:
    """It holds stdout and stderr, and lives on."""
    pid_file = tmp_path / "pid"
    code = f"""
answer()
sys.stdout.flush()
if child := os.fork():
    open({str(pid_file)!r}, "w").write(str(child))
else:
    time.sleep(600)
"""
    network = Network(tmp_path, [{"type": "one", "ADD": code}])
    began = time.monotonic()
    network.add(timeout=60.0)
    assert time.monotonic() - began < 30
    daemon = int(pid_file.read_text())
    os.kill(daemon, signal.SIGKILL)  # which raises if it is not there


def test_a_plugin_that_does_not_read(tmp_path: Path) -> None:
    """A configuration larger than a pipe, for one that closes its stdin or ends at once."""
    network = Network(tmp_path, [{"type": "one", "large": "x" * 300_000}])
    (network.programs / "one").write_text('#!/bin/sh\nexec <&-\necho \'{"cniVersion": "1.0.0"}\'\n')
    assert network.add().ips == ()


def test_a_missing_plugin_is_missed_before_anything_runs(tmp_path: Path) -> None:
    """The places that were looked at are told."""
    network = Network(tmp_path, THREE)
    (network.programs / "three").chmod(0o644)
    with pytest.raises(NotFound) as caught:
        network.add(paths=("/nowhere", str(network.programs)))
    assert caught.value.what == "CNI network net needs the plugin three, which is not there"
    assert f"in /nowhere, {network.programs}" in caught.value.why
    assert network.runs() == []
    assert network.records() == []


def test_a_plugin_that_cannot_be_executed(tmp_path: Path) -> None:
    """It is there, and no program for this machine."""
    network = Network(tmp_path, [{"type": "one"}])
    (network.programs / "one").write_bytes(b"\x7fELF rubbish")
    with pytest.raises(StepFailed, match="plugin one failed") as caught:
        network.add()
    assert "ENOEXEC" in caught.value.why


def test_the_environment_names_the_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CNI_PATH, where the caller names no directory."""
    network = Network(tmp_path, [{"type": "one"}])
    monkeypatch.setenv("CNI_PATH", f"/nowhere:{network.programs}")
    network.add(paths=())
    assert network.runs()[0].environment["CNI_PATH"] == f"/nowhere:{network.programs}"


def test_of_several_versions_the_highest_that_all_speak(tmp_path: Path) -> None:
    """They are asked, with VERSION."""
    network = Network(tmp_path, THREE, cniVersions=["0.4.0", "1.0.0", "1.1.0"])
    network.install("two", "0.3.1 0.4.0")
    network.add()
    assert [run.request["cniVersion"] for run in network.runs() if run.command == "ADD"] == ["0.4.0"] * 3
    network.install("two", "0.1.0")
    with pytest.raises(Unsupported, match="have no version in common") as caught:
        network.add("c2")
    assert "two speaks 0.1.0" in caught.value.why


def test_a_plugin_that_refuses_the_version(tmp_path: Path) -> None:
    """Code 1 of the specification comes with what to do."""
    refuse = "fail(1, 'incompatible CNI versions', 'speaks 9')"
    network = Network(tmp_path, [THREE[0], {"type": "two", "ADD": refuse, "DEL": refuse}])
    with pytest.raises(cni.PluginFailed) as caught:
        network.add()
    assert "speaks 9" in caught.value.why
    assert "cniVersion" in caught.value.remedy
    assert network.told()[2:] == ["DEL two", "DEL one"]
    assert network.records() == []


def test_check_asks_all_with_the_last_answer(tmp_path: Path) -> None:
    """In order; the first that finds something wrong is told."""
    network = Network(tmp_path, [THREE[0], {"type": "two", "CHECK": "fail(100, 'eth0 is gone')"}, THREE[2]])
    network.add()
    with pytest.raises(cni.PluginFailed, match="plugin two failed at CHECK") as caught:
        network.check()
    assert "eth0 is gone" in caught.value.why
    assert network.told()[3:] == ["CHECK one", "CHECK two"]
    assert all(len(run.request["prevResult"]["ips"]) == 3 for run in network.runs()[3:])


def test_when_there_is_nothing_to_check(tmp_path: Path) -> None:
    """Never added; the configuration forbids it; its version is too old."""
    network = Network(tmp_path, THREE, disableCheck=True)
    with pytest.raises(NotFound, match="is not on CNI network net"):
        network.check()
    network.add()
    network.check()
    assert "CHECK" not in " ".join(network.told())
    network.configure(THREE, cniVersion="0.3.1")
    network.add("c2")
    with pytest.raises(Unsupported, match="cannot be checked"):
        network.check("c2")


def test_before_0_4_0_delete_knows_no_previous_result(tmp_path: Path) -> None:
    """SPEC.md, "DEL"."""
    network = Network(tmp_path, THREE, cniVersion="0.3.1")
    network.add()
    network.delete()
    assert all("prevResult" not in run.request for run in network.runs()[3:])


def kill_in_the_middle_of_add(network: Network) -> None:
    """Has a process of its own run ADD, and kills it while the plugin two runs."""
    program = f"""
from minirun.network import cni
cni.add(cni.load("net", {str(network.directory)!r}), "c1", "/proc/1/ns/net", "eth0", (),
        {network.state!r}, {network.paths!r})
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(minirun.__path__[0]).parent)}
    child = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        until("the plugin two runs", lambda: "ADD two" in network.told() or child.poll() is not None)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_an_add_that_was_killed_can_be_deleted(tmp_path: Path) -> None:
    """What the first plugin answered is on record; the plugin that ran dies with its caller."""
    pid_file = tmp_path / "pid"
    hang = f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    network = Network(tmp_path, [THREE[0], {"type": "two", "ADD": hang}])
    kill_in_the_middle_of_add(network)
    attachment = find(network.state, "net", "c1", "eth0")
    assert attachment
    assert not attachment.complete
    assert [ip.address for ip in attachment.answer().ips] == ["10.9.0.2/24"]
    network.delete()
    assert network.told() == ["ADD one", "ADD two", "DEL two", "DEL one"]
    assert len(network.runs()[-1].request["prevResult"]["ips"]) == 1
    assert network.records() == []
    if pid_file.exists() and pid_file.read_text():
        wait_until_gone(int(pid_file.read_text()))


def test_an_add_after_one_that_was_killed(tmp_path: Path) -> None:
    """It takes back what that one made, and begins anew."""
    network = Network(tmp_path, [THREE[0], {"type": "two", "ADD": "time.sleep(600)"}])
    kill_in_the_middle_of_add(network)
    network.configure([THREE[0], {"type": "two"}])
    network.add()
    assert network.told()[2:] == ["DEL two", "DEL one", "ADD one", "ADD two"]


def test_operations_on_one_container_take_turns(tmp_path: Path) -> None:
    """Those on others do not wait for it, except for ADDs of one network; GC waits for all."""
    entered: list[str] = []

    def enter(name: str, turn: Turn) -> threading.Thread:
        def stay() -> None:
            with turn:
                entered.append(name)

        thread = threading.Thread(target=stay)
        thread.start()
        return thread

    state = str(tmp_path)
    with Turn(state, "c1"):
        enter("other", Turn(state, "c2")).join()
        same = enter("same", Turn(state, "c1"))
        same.join(0.2)
        assert entered == ["other"]
    same.join()
    with Turn(state, "c1", "net"):
        enter("another network", Turn(state, "c2", "lan")).join()
        enter("a delete", Turn(state, "c2")).join()
        network = enter("same network", Turn(state, "c2", "net"))
        network.join(0.2)
        assert entered[2:] == ["another network", "a delete"]
    network.join()
    with Turn(state, "c1"):
        alone = enter("alone", Alone(state))
        alone.join(0.2)
        assert entered[4:] == ["same network"]
    alone.join()
    assert entered[5:] == ["alone"]


def test_two_adds_on_one_network_do_not_meet(tmp_path: Path) -> None:
    """Plugins are not all safe for it, whatever the specification says."""
    room = str(tmp_path / "room")
    occupy = (
        f"os.mkdir({room!r}); time.sleep(0.3); os.rmdir({room!r}); answer()"  # mkdir fails for the second
    )
    network = Network(tmp_path, [{"type": "one", "ADD": occupy}])
    threads = [threading.Thread(target=network.add, args=(id,)) for id in ("c1", "c2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, _ = cni.cached(network.state)
    assert [attachment.complete for attachment in found] == [True, True]


def test_a_damaged_record_is_told_and_the_others_are_listed(tmp_path: Path) -> None:
    """Nothing is thrown away by itself."""
    network = Network(tmp_path, THREE)
    network.add("c1")
    network.add("c2")
    network.records()[0].write_text('{"config": 1}')
    found, errors = cni.cached(network.state)
    assert [attachment.container_id for attachment in found] == ["c2"]
    assert "net:c1:eth0" in errors[0].what
    with pytest.raises(InvalidInput, match="net:c1:eth0"):
        network.delete("c1")
    assert cni.cached(str(tmp_path / "nowhere")) == ([], [])


def test_what_nobody_uses_is_collected(tmp_path: Path) -> None:
    """By DEL with the record, and then by GC, which the plugins know since 1.1.0."""
    network = Network(tmp_path, THREE[:2], cniVersion="1.1.0")
    network.add("dead")
    network.add("alive")
    # On another network, which speaks 1.0.0 and so knows no GC.
    network.configure(THREE[:2], name="lan", cniVersion="1.0.0")
    lan = cni.load("lan", str(network.directory))
    cni.add(lan, "alive", "/proc/1/ns/net", "eth1", (), network.state, network.paths)
    removed, errors = cni.collect(network.state, lambda one: one.container_id == "alive", network.paths)
    assert ([one.container_id for one in removed], errors) == (["dead"], [])
    assert network.told()[6:] == ["DEL two", "DEL one", "GC one", "GC two"]
    collected = network.runs()[-1]
    assert collected.request["cni.dev/valid-attachments"] == [{"containerID": "alive", "ifname": "eth0"}]
    assert collected.environment["CNI_NETNS"] == ""
    assert len(network.records()) == 2


def test_collecting_goes_on_after_an_error(tmp_path: Path) -> None:
    """What could not be taken off stays on record. Neither 1.0.0 nor disableGC has GC run."""
    network = Network(tmp_path, [{"type": "one", "DEL": "fail(11, 'busy')"}])
    network.add("c1")
    network.configure([{"type": "one"}], cniVersion="1.1.0", disableGC=True)
    network.add("c2")
    removed, errors = cni.collect(network.state, lambda _: False, network.paths)
    assert [one.container_id for one in removed] == ["c2"]
    assert ["busy" in error.why for error in errors] == [True]
    assert "GC one" not in network.told()
    assert len(network.records()) == 1


def test_status(tmp_path: Path) -> None:
    """Asked since 1.1.0; a plugin that is not ready says so."""
    network = Network(tmp_path, [{"type": "one", "STATUS": "fail(50, 'no daemon')"}], cniVersion="1.1.0")
    with pytest.raises(cni.PluginFailed) as caught:
        cni.status(network.config(), network.paths)
    assert caught.value.code == 50
    network.configure([{"type": "one"}], cniVersion="1.0.0")
    before = len(network.runs())
    cni.status(network.config(), network.paths)
    assert "STATUS one" not in network.told()[before:]


def test_the_record_can_be_read_by_others(tmp_path: Path) -> None:
    """It is JSON: who looks for a leak finds network, container and address."""
    network = Network(tmp_path, THREE)
    network.add()
    record = json.loads(network.records()[0].read_text())
    assert record["config"]["name"] == "net"
    assert record["container_id"] == "c1"
    assert record["result"]["ips"][0]["address"] == "10.9.0.2/24"


def test_a_plan_shows_the_plugins(tmp_path: Path) -> None:
    """In the order in which they run."""
    from minirun.steps import Call, Ref

    config = Network(tmp_path, THREE).config()
    netns = Ref(name="init", form="/proc/{}/ns/net")
    assert str(Call(cni.add, config, "c1", netns, "eth0")) == (
        "execve(one, two, three; CNI_COMMAND=ADD CNI_NETNS=/proc/<init>/ns/net CNI_IFNAME=eth0)"
    )
    assert str(Call(cni.delete, config, "c1", "", "eth0")).startswith(
        "execve(three, two, one; CNI_COMMAND=DEL"
    )
    assert str(Call(cni.delete, "net", "c1", "", "eth0")).startswith(
        "execve(the plugins of net; CNI_COMMAND=DEL"
    )


def wait_until_gone(pid: int) -> None:
    """Returns when the process has ended; fails after a while."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    until(f"process {pid} is gone", gone)
