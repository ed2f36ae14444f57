"""vm ps, inspect and --trace: what is seen of a machine from outside, and what from inside."""

from __future__ import annotations

import json
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from minirun.vm import agent
from minirun.vm.home import Home
from tests import leaks
from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run")


def inspected(vm: Minirun, name: str = "box") -> dict[str, Any]:
    """What `vm inspect` says of one machine."""
    (found,) = json.loads(vm("vm", "inspect", name, check=True).stdout)
    return dict(found)


def test_ps(box: Minirun) -> None:
    head, row = box("vm", "ps", check=True).stdout.splitlines()
    assert re.split("  +", head) == (
        ["VM ID", "NAME", "IMAGE", "COMMAND", "CREATED", "PID", "VCPUS", "MEMORY", "ACCEL", "PORTS"]
    )
    cells = dict(zip(re.split("  +", head), re.split("   +", row), strict=True))
    assert (cells["NAME"], cells["IMAGE"], cells["VCPUS"]) == ("box", "busybox", "2")
    assert cells["COMMAND"].startswith('"sh -c sleep 4001')
    status = Path("/proc", cells["PID"], "status").read_text()
    assert status.startswith("Name:\tqemu-system")
    (record,) = json.loads(box("vm", "ps", "--format", "json", check=True).stdout)
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10
    assert abs(record["rss"] - resident) < 20 << 20 and record["memory"] == 256 << 20
    assert re.fullmatch(r"127\.0\.0\.1:\d+->80/tcp", cells["PORTS"])
    assert box("vm", "ps", "-q", check=True).stdout.split() == [cells["VM ID"]]
    assert box("vm", "ps", "--format", "{{.Name}} {{.PID}}", check=True).stdout == f"box {cells['PID']}\n"


def test_the_host_sees_one_process_and_the_guest_its_programs(box: Minirun) -> None:
    """The difference to a container, whose programs are the host's."""
    found = inspected(box)
    (hypervisor,) = found["host"]["processes"]
    assert hypervisor["pid"] == found["host"]["pid"]
    inside = [one["command"] for one in found["guest"]["processes"] if one["command"]]
    assert inside[0].startswith("/init") and "sleep 4001" in inside and "sleep 4002" in inside
    known = {leaks.words(pid) for pid in leaks.pids()}
    assert any("qemu-system" in words for words in known)
    assert "sleep 4001" not in known
    kernel = {one["name"] for one in found["guest"]["processes"] if not one["command"]}
    assert {"kthreadd", "ksoftirqd/0", "ksoftirqd/1"} <= kernel
    assert found["guest"]["kernel"] != os.uname().release
    shell_itself = next(one for one in found["guest"]["processes"] if one["name"] == "sh")
    assert 50 << 10 < shell_itself["resident"] < 10 << 20


def test_the_threads_of_a_hypervisor(box: Minirun) -> None:
    """One for each processor of the guest, named so by QEMU; all that the kernel knows are told."""
    host = inspected(box)["host"]
    names = [thread["name"] for thread in host["threads"]]
    assert sum(bool(re.fullmatch(r"CPU [01]/(TCG|KVM)", name)) for name in names) == 2
    assert {thread["tid"] for thread in host["threads"]} >= {host["pid"]}
    for thread in host["threads"]:
        task = Path(f"/proc/{host['pid']}/task/{thread['tid']}/comm")
        assert not task.exists() or task.read_text().strip() == thread["name"]
        assert thread["purpose"], f"what is {thread['name']} for?"
    processors = [thread for thread in host["threads"] if thread["name"].startswith("CPU")]
    assert sum(thread["cpu_seconds"] for thread in processors) > 0.05


def test_the_memory_of_a_machine(box: Minirun) -> None:
    """Some of it is its template's, and there once for all."""
    found = inspected(box)
    memory = found["host"]["memory"]
    assert found["machine"]["booted"] != "cold"
    assert memory["guest_shared"] > 5 << 20
    assert memory["guest_private"] > 1 << 20
    assert memory["guest_shared"] + memory["guest_private"] < memory["rss"] < 256 << 20
    assert memory["pss"] <= memory["rss"]


def test_inspect_for_a_reader(box: Minirun) -> None:
    """Both views beside each other."""
    said = box("vm", "inspect", "--format", "table", "box", check=True).stdout
    assert re.search(r"host, Linux \S+ +\|  guest, Linux \S+", said)
    assert re.search(r"\d+ qemu-system\S* +\|  +1 /init", said)
    assert re.search(r"\|  +\d+ sleep 4002$", said, re.MULTILINE)
    assert "CPU 1/" in said


def test_inspect_of_one_field_and_of_nobody(box: Minirun) -> None:
    pid = box("vm", "inspect", "-f", "{{.host.pid}}", "box", check=True).stdout
    assert pid.strip().isdigit()
    id = box("vm", "ps", "-q", check=True).stdout.strip()
    assert box("vm", "inspect", "-f", "{{.name}}", id[:6], check=True).stdout == "box\n"
    done = box("vm", "inspect", "nobody")
    assert done.returncode == 125 and "no such virtual machine: nobody" in done.stderr


def test_who_asks_and_leaves_harms_nobody(box: Minirun) -> None:
    """A question that is not waited for, some at once, and nonsense: the guest answers the next one."""
    place = box.state / "vms" / json.loads(box("vm", "inspect", "box").stdout)[0]["id"] / "agent.sock"
    for request in (b"first ps\n", b"nonsense" * 50, b"", b"second ps"):
        with socket.socket(socket.AF_UNIX) as sock:
            directory = os.open(place.parent, os.O_PATH)
            sock.connect(f"/proc/self/fd/{directory}/agent.sock")
            os.close(directory)
            sock.sendall(request)
    many = [shell.watched(box, "vm", "inspect", "-f", "{{.guest.processes}}", "box") for _ in range(3)]
    for process in many:
        out, said = process.communicate(timeout=PATIENCE)
        assert (process.returncode, said) == (0, b"") and b"sleep 4001" in out


def test_who_asks_right_behind_another_is_answered(box: Minirun) -> None:
    """A question may reach the guest before the news that the one before has gone, and this one come."""
    home = Home(str(box.state), inspected(box)["id"])
    with ThreadPoolExecutor(3) as askers:
        for found in askers.map(lambda _: agent.processes(home, PATIENCE), range(60)):
            assert "sleep 4001" in [one.command for one in found]


def test_a_name_that_is_taken(box: Minirun) -> None:
    """By a machine that runs: which one, and how to end it."""
    done = box(*RUN, "--name", "box", "busybox", "true")
    assert done.returncode == 125
    assert "the name 'box' is in use" in done.stderr and "minirun vm stop box" in done.stderr


def milestones(said: str) -> list[tuple[str, float]]:
    """The milestones of `--trace=json`, in their order."""
    rows = [json.loads(line) for line in said.splitlines()]
    return [(row["milestone"], row["milliseconds"]) for row in rows if "milestone" in row]


def test_trace_tells_the_boot(vm: Minirun) -> None:
    """Every milestone in its order, and none earlier than the one before it."""
    vm(*RUN, "busybox", "true", check=True)  # there is a template from here on
    cold = milestones(vm(*RUN, "--cold", "--trace=json", "busybox", "true", check=True).stderr)
    warm = milestones(vm(*RUN, "--trace=json", "busybox", "true", check=True).stderr)
    booted = ["hypervisor", "init", "drivers", "ready", "root", "program", "ended"]
    assert [name for name, _ in cold] == booted
    assert [name for name, _ in warm] == ["hypervisor", "restored", "root", "program", "ended"]
    for times in (cold, warm):
        assert [at for _, at in times] == sorted(at for _, at in times)
    assert warm[-1][1] < cold[-1][1]


def test_trace_for_a_reader(vm: Minirun) -> None:
    """The steps of the host as for a container, the guest's operations, and the milestones between."""
    said = vm(*RUN, "--trace", "busybox", "true", check=True).stderr
    assert re.search(
        r"^ +\d+ init +\d+ us +unshare\(CLONE_NEWNS\|CLONE_NEWIPC\|CLONE_NEWNET\) = 0$", said, re.M
    )
    assert 'execve("/usr/bin/qemu-system-x86_64"' in said or 'qemu-system-x86_64"' in said
    assert re.search(r"^ +\d+ ms  the hypervisor runs$", said, re.M)
    assert re.search(r"^    guest:  mount root /lower 9p 1 ", said, re.M)
    assert "guest:  seed (64 random bytes)\n" in said  # and no more: it is a secret
    assert re.search(r"^ +\d+ ms  the program has ended +\(guest's clock: \d+ ms\)$", said, re.M)
