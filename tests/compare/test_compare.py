"""``minirun compare`` on this machine: its numbers against what the kernel and other programs say."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from xml.dom import minidom

import pytest

from minirun.compare import processes
from tests.conftest import Minirun
from tests.needs import needs
from tests.patience import PATIENCE, until

pytestmark = needs("root", "overlay")

CHEAP = ("compare", "--runs", "1", "--rung", "container")


def rungs(minirun: Minirun, *words: str, **options: Any) -> dict[str, Any]:
    """What `compare --json` says, by rung."""
    done = minirun(*words[:1], "--json", *words[1:], check=True, timeout=100, **options)
    return {rung["rung"]: rung for rung in json.loads(done.stdout)["rungs"]}


@pytest.fixture
def lean_path(tmp_path: Path) -> str:
    """A PATH with unshare alone: no strace, no QEMU, no runsc."""
    found = next(f"{place}/unshare" for place in ("/usr/bin", "/bin") if os.path.exists(f"{place}/unshare"))
    (tmp_path / "unshare").symlink_to(found)
    return str(tmp_path)


def test_process_and_container_are_measured(minirun: Minirun) -> None:
    """The same program, with the same output; the container takes longer and keeps little."""
    found = rungs(minirun, "compare", "--runs", "2", "--rung", "container")
    process, container = found["process"], found["container"]
    assert process["output"] == container["output"] == "ready\n"
    assert len(process["starts_ms"]) == len(container["starts_ms"]) == 2
    assert 0 < min(process["starts_ms"]) < min(container["starts_ms"])
    assert process["memory_kib"] == 0
    assert 0 < container["memory_kib"] < 300  # the monitor
    assert [each["role"] for each in process["processes"]] == ["program"]
    assert [each["role"] for each in container["processes"]] == ["client", "keeper", "program"]


def test_a_program_has_the_name_that_it_has_inside(
    minirun: Minirun, busybox_rootfs: Path, tmp_path: Path
) -> None:
    """A link of the host's, where the container has a file, changes nothing."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "busybox-too").symlink_to("another")
    shutil.copy(busybox_rootfs / "bin" / "busybox", tmp_path / "inside" / "busybox-too")
    flags = ("--name", "named", "--network", "none", "-v", f"{tmp_path}/inside:{tmp_path}/place")
    minirun("run", "-d", *flags, "busybox", f"{tmp_path}/place/busybox-too", "sleep", "1000", check=True)
    pid = int(minirun("inspect", "-f", "{{.state.pid}}", "named", check=True).stdout)
    assert processes._program(pid)[0] == "busybox-too"


@needs("strace", "memory", "cpu", "pids")
def test_a_pod_is_measured(minirun: Minirun) -> None:
    """The same program, and the same calls; what stays is pause, and a monitor for each of the two."""
    words = ("sh", "-c", "echo $0 $((40 + 2)) '$$(HOME)'; exec cat", "said")
    done = minirun("compare", "--runs", "1", "--rung", "pod", "--json", "busybox", *words, check=True)
    answer = json.loads(done.stdout)
    process, inside = answer["rungs"]
    assert inside["missing"] is None
    assert inside["output"] == process["output"] == "said 42 $$(HOME)\n"
    kept = sorted(each["name"] for each in inside["processes"] if each["role"] == "keeper")
    assert kept == ["minirun:[monitor]", "minirun:[monitor]", "pause"]
    assert [each["name"] for each in inside["processes"] if each["role"] == "program"] == ["cat"]
    assert inside["start_ms"] > process["start_ms"] and 0 < inside["memory_kib"] < 800
    assert inside["shares_kernel"] is True and inside["program_visible"] is True
    assert inside["syscalls"]["program"] == process["syscalls"]["program"]
    assert any("The pod is on it, too, and keeps" in each for each in answer["answer"])
    silent = rungs(minirun, "compare", "--runs", "1", "--rung", "pod", "busybox", "true")["pod"]
    assert silent["missing"] is None and silent["processes"] is None  # timed to its end
    assert minirun("pod", "ps", "-q", check=True).stdout == ""


def test_both_are_on_the_hosts_running_kernel(minirun: Minirun) -> None:
    """The same boot_id as the host's."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    for rung in rungs(minirun, *CHEAP).values():
        assert rung["kernel"]["release"] == os.uname().release
        assert rung["kernel"]["boot_id"] == boot_id
        assert rung["shares_kernel"] is True


@needs("strace")
def test_the_program_asks_the_same_of_the_kernel_on_both_rungs(minirun: Minirun) -> None:
    """A container is the same process to the kernel: not one call more."""
    found = rungs(minirun, *CHEAP)
    process, container = found["process"]["syscalls"], found["container"]["syscalls"]
    assert 10 < process["program"] == container["program"]
    assert process["total"] == process["program"]
    assert container["total"] > container["program"] + 500  # Python's own are many


@needs("strace")
def test_the_count_is_straces_own(minirun: Minirun, busybox_rootfs: Path) -> None:
    """`strace -c` counts the same calls of the plain process."""
    found = rungs(minirun, *CHEAP, "busybox", "echo", "hello")
    chroot = ["chroot", str(busybox_rootfs), "echo", "hello"]
    trace = subprocess.run(["strace", "-f", *chroot], capture_output=True, text=True, check=True).stderr
    lines = [line for line in trace.splitlines() if not line.startswith(("+++", "---"))]
    start = max(number for number, line in enumerate(lines) if line.startswith("execve("))
    assert found["process"]["syscalls"]["program"] == len(lines) - start - 1


def test_the_image_says_how_the_program_runs(minirun: Minirun, busybox_rootfs: Path, tmp_path: Path) -> None:
    """Entrypoint, user, directory and environment are the same on each rung."""
    tar = tmp_path / "rootfs.tar"
    subprocess.run(["tar", "-C", busybox_rootfs, "-cf", tar, "."], check=True)
    changes = ('ENTRYPOINT ["sh", "-c"]', "USER 1000:1000", "WORKDIR /usr", "ENV WORD=said")
    flags = [word for change in changes for word in ("-c", change)]
    minirun("import", *flags, str(tar), "compare-odd", check=True)
    found = rungs(minirun, *CHEAP, "compare-odd", "echo $WORD; id -u; id -g; pwd; exec cat")
    minirun("rmi", "compare-odd", check=True)
    assert found["process"]["output"].split() == ["said", "1000", "1000", "/usr"]
    assert found["container"]["output"] == found["process"]["output"]
    assert found["container"]["kernel"]  # asked past the entrypoint


def test_what_the_program_writes_stays_out_of_the_image(minirun: Minirun) -> None:
    """Each comparison begins with the image as it is, and no layer is written to."""
    script = "cat /written 2>/dev/null || echo clean; echo dirty > /written; exec cat"
    for _ in range(2):
        first = rungs(minirun, *CHEAP, "busybox", "sh", "-c", script)
        assert first["process"]["output"] == first["container"]["output"] == "clean\n"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("sh", "-c", "echo up; exec sleep 1000"), id="does not heed its stdin"),
        pytest.param(("sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"), id="heeds no SIGTERM"),
        pytest.param(("yes",), id="never stops printing"),
        pytest.param(("true",), id="prints nothing"),
    ],
)
def test_every_program_comes_to_an_end(minirun: Minirun, command: tuple[str, ...]) -> None:
    """Whatever it does not listen to; that nothing is left is looked at by the tests' look for leaks."""
    found = rungs(minirun, *CHEAP, "busybox", *command)
    assert found["container"]["missing"] is None
    assert found["container"]["start_ms"] > 0


def test_a_program_that_has_ended_has_no_memory_to_look_at(minirun: Minirun) -> None:
    """Unknown is null, not 0."""
    found = rungs(minirun, *CHEAP, "busybox", "true")
    assert found["container"]["processes"] is None
    assert found["container"]["memory_kib"] is None


def test_silence_is_an_error(minirun: Minirun) -> None:
    """A start is timed to the first output, so there has to be one."""
    done = minirun("compare", "--timeout", "1", "busybox", "sleep", "1000")
    assert done.returncode == 125
    assert "printed nothing within 1 s" in done.stderr
    assert "try: " in done.stderr


def test_a_program_that_is_not_there_fails_on_every_rung(minirun: Minirun) -> None:
    """The row says so, and the exit code does."""
    done = minirun("compare", "--rung", "container", "busybox", "no-such-program")
    assert done.returncode == 1
    assert "not measured: cannot run 'no-such-program'" in done.stdout


def test_what_is_not_installed_is_said(minirun: Minirun, lean_path: str) -> None:
    """No strace, no QEMU, no runsc: the rest is measured."""
    done = minirun("compare", "--runs", "1", "--json", check=True, env={"PATH": lean_path})
    answer = json.loads(done.stdout)
    found = {rung["rung"]: rung for rung in answer["rungs"]}
    assert found["container"]["start_ms"] > 0
    assert "strace is not installed" in found["container"]["syscalls"]["note"]
    assert found["microVM"]["missing"].startswith("minirun: there is no ")  # kernel, or QEMU
    assert found["microVM"]["start_ms"] is None
    assert "not installed" in answer["left_out"]["gVisor"]


@needs("runsc")
def test_gvisor_is_another_kernel(minirun: Minirun) -> None:
    """It answers with its own release, and the host does not see the program."""
    found = rungs(minirun, "compare", "--runs", "1", "--rung", "gVisor")["gVisor"]
    assert found["missing"] is None
    assert found["output"] == "ready\n"
    assert found["shares_kernel"] is False
    assert found["program_visible"] is False
    assert found["memory_kib"] > 1024


def test_the_forms_of_output(minirun: Minirun, tmp_path: Path) -> None:
    """Table, facts, answer, legend, chart and SVG; or fields."""
    file = tmp_path / "chart.svg"
    done = minirun(*CHEAP, "--chart", "--svg", str(file), check=True)
    header, *rest = done.stdout.splitlines()
    assert header.split()[:4] == ["RUNG", "START", "MEMORY", "KERNEL"]
    text = "\n".join(rest)
    assert "boot id" in text
    assert "The container is on the host's own running kernel" in text
    assert "█" in text
    assert minidom.parse(str(file)).documentElement.tagName == "svg"
    fields = minirun(*CHEAP, "--format", "{{.rung}}={{.kernel}}", check=True).stdout.split()
    assert fields == [f"process={os.uname().release}", f"container={os.uname().release}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rung", "balloon"), "process, container, pod"),
        (("--format", "{{.weight}}"), "there is no field"),
        (("--format", "xml"), "is not understood"),
        (("--svg", "/no/such/directory/x.svg"), "cannot write"),
        (("--runs", "0"), "--runs"),
        (("no-such-image",), "is not here"),
    ],
)
def test_mistakes_are_found_before_the_work(minirun: Minirun, words: tuple[str, ...], said: str) -> None:
    """What, why, what to do."""
    done = minirun("compare", *words)
    assert done.returncode == 125
    assert said in done.stderr
    assert "  try: " in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("number", "code", "rung"),
    [
        (signal.SIGINT, 130, "container"),
        (signal.SIGTERM, 143, "container"),
        (signal.SIGHUP, 129, "container"),
        (signal.SIGINT, 130, "pod"),
    ],
)
def test_an_interrupt_leaves_nothing(minirun: Minirun, number: signal.Signals, code: int, rung: str) -> None:
    """In the middle of a run: its processes, its container and its mounts go."""
    flags = ("--runs", "100", "--rung", rung)
    with minirun.popen("compare", *flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        until_a_container_runs(minirun, running)
        running.send_signal(number)
        assert running.wait(PATIENCE) == code
    assert not list(minirun.state.glob("compare.*"))
    assert minirun("ps", "-aq", check=True).stdout == minirun("pod", "ps", "-q", check=True).stdout == ""


def test_a_kill_leaves_no_more_than_an_empty_directory(minirun: Minirun) -> None:
    """And the next comparison removes that."""
    flags = ("--runs", "100", "--rung", "container")
    with minirun.popen("compare", *flags, stdout=subprocess.DEVNULL) as running:
        until_a_container_runs(minirun, running)
        running.kill()
    (left,) = minirun.state.glob("compare.*")
    assert list(left.iterdir()) == []
    minirun(*CHEAP, check=True)
    assert not left.exists()


def until_a_container_runs(minirun: Minirun, running: subprocess.Popen[Any]) -> None:
    """Returns when `compare` has started a container."""
    started = (minirun.state / "containers").glob
    until("a container runs", lambda: list(started("*/started")) or running.poll() is not None)
    assert running.poll() is None
