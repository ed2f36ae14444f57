"""``minirun pod exec, attach, logs, top, stats, ns, port, events, inspect``: a look at a pod that runs."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Minirun
from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Living, Pods, app, pod

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

#: Nobody else on the machine is there, at least no test.
PORT = 18_746


@pytest.fixture(scope="module")
def web(loaded_minirun: Minirun) -> Iterator[Living]:
    """A task that is done, a sidecar, two apps."""
    pods = Pods(loaded_minirun)
    manifest = pod(
        "web",
        app(
            "echo one; echo two; echo err >&2; echo three; " + FOREVER,
            ports=[{"name": "http", "containerPort": 80, "hostPort": PORT}],
            resources={"limits": {"memory": "64Mi"}},
        ),
        app("while read line; do echo got $line; done; exit 5", "reader", stdin=True),
        initContainers=[app("echo prepared", "prep"), app(FOREVER, "side", restartPolicy="Always")],
    )
    manifest["metadata"]["labels"] = {"app": "web", "tier": "front"}
    try:
        made = pods.create(manifest, words=("--wait",))
        until("it has written", lambda: len(made.log()) == 4)
        yield made
    finally:
        pods.remove_all()


def run(web: Living, verb: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """``minirun pod VERB web WORDS``, however it ends."""
    return web.minirun("pod", verb, "web", *words, **options)


# --- exec -----------------------------------------------------------------------


def test_exec_has_the_exit_code_of_the_program(web: Living) -> None:
    """As kubectl has it: both outputs, and the flags before or behind the pod's name."""
    done = run(web, "exec", "-c", "app", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    before = web.minirun("pod", "exec", "-i", "--container=app", "web", "cat", input="to it")
    assert (before.returncode, before.stdout) == (0, "to it")
    assert run(web, "exec", "-c", "app", "--", "cat", input="to nobody").stdout == ""
    assert run(web, "exec", "-c", "app", "nosuch").returncode == 127
    assert run(web, "exec", "-c", "app", "--", "kill", "-9", "0").returncode == 137


def test_exec_in_the_default_container(web: Living, loaded_minirun: Minirun) -> None:
    """The first one, and that is said; the one that an annotation names, and nothing is said."""
    done = run(web, "exec", "--", "readlink", "/proc/1/ns/mnt")
    assert done.stdout.strip() == os.readlink(f"/proc/{web.pid('app')}/ns/mnt")
    assert done.stderr == 'Defaulted container "app" out of: app, reader, prep (init), side (init)\n'
    inside = run(web, "exec", "-c", "side", "--", "readlink", "/proc/1/ns/mnt")
    assert inside.stdout.strip() == os.readlink(f"/proc/{web.pid('side')}/ns/mnt")

    manifest = pod("named", app(), app(FOREVER, "second"))
    manifest["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "second"}
    named = Pods(loaded_minirun).create(manifest)
    try:
        done = loaded_minirun("pod", "exec", "named", "--", "readlink", "/proc/1/ns/mnt", check=True)
        assert done.stdout.strip() == os.readlink(f"/proc/{named.pid('second')}/ns/mnt")
        assert done.stderr == ""
    finally:
        named("rm", "-f")


def test_exec_is_refused(web: Living) -> None:
    wrong = run(web, "exec", "-c", "nosuch", "--", "true")
    assert wrong.returncode == 125 and "it has prep, side, app, reader" in wrong.stderr
    ended = run(web, "exec", "-c", "prep", "--", "true")
    assert ended.returncode == 125 and "it does not run: Completed (exit code 0)" in ended.stderr
    piped = run(web, "exec", "-it", "-c", "app", "--", "true")
    assert piped.returncode == 125 and "not a terminal" in piped.stderr


def test_exec_with_a_terminal(web: Living) -> None:
    """-it is a terminal of the container's own."""
    master, slave = pty.openpty()
    words = web.minirun.command(
        "pod", "exec", "web", "-c", "app", "-it", "--", "sh", "-c", "tty; read x; exit $x"
    )
    program = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=web.minirun.environment)
    os.close(slave)
    said = b""
    while b"/dev/pts/" not in said:
        said += os.read(master, 1024)
    os.write(master, b"9\n")
    assert program.wait(timeout=20) == 9
    os.close(master)


# --- attach ---------------------------------------------------------------------


def test_attach(loaded_minirun: Minirun) -> None:
    """With -i what is typed goes to the program; the exit code is the program's."""
    script = "while read line; do echo got $line; [ $line = end ] && exit 5; done"
    manifest = pod("talk", app(script, stdin=True), app(FOREVER, "deaf"), restartPolicy="Never")
    made = Pods(loaded_minirun).create(manifest)
    try:
        refused = loaded_minirun("pod", "attach", "talk", "-c", "deaf", "-i")
        assert refused.returncode == 125 and "stdin: true" in refused.stderr
        with loaded_minirun.popen("pod", "attach", "talk", "-c", "app", "-i", stdin=-1, stdout=-1) as client:
            assert client.stdin and client.stdout
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"got hello\n"
            client.stdin.write(b"end\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"got end\n"
            assert client.wait(timeout=20) == 5
        until("it is seen", lambda: made.ended() is not None)
        refused = loaded_minirun("pod", "attach", "talk", "-c", "app")
        assert refused.returncode == 125 and "Error (exit code 5)" in refused.stderr
    finally:
        made("rm", "-f")


# --- logs -----------------------------------------------------------------------


def test_logs(web: Living) -> None:
    """The bytes as they were written, to the stream they were written to."""
    done = run(web, "logs", "-c", "app")
    assert (done.stdout, done.stderr) == ("one\ntwo\nthree\n", "err\n")
    last = run(web, "logs", "--tail", "1", "-c", "app")
    assert (last.stdout + last.stderr) in ("three\n", "err\n")  # two pipes: either may be read first
    assert run(web, "logs", "--since", "1s", "--tail=0", "-c", "app").stdout == ""
    assert run(web, "logs", "--tail=-1", "-c", "app").stdout == done.stdout  # all of them, for kubectl
    assert run(web, "logs", "-c", "prep").stdout == "prepared\n"
    stamped = run(web, "logs", "-t", "--prefix", "-c", "app").stdout.splitlines()
    assert re.fullmatch(r"\[pod/web/app\] \d{4}-\d\d-\d\dT[\d:.]+Z two", stamped[1])
    assert "Defaulted container" in run(web, "logs").stderr


def test_logs_of_all_containers(web: Living) -> None:
    """In the order of their start."""
    lines = run(web, "logs", "--all-containers", "--prefix").stdout.splitlines()
    assert lines == [
        "[pod/web/prep] prepared",
        "[pod/web/app] one",
        "[pod/web/app] two",
        "[pod/web/app] three",
    ]
    both = run(web, "logs", "--all-containers", "-c", "app")
    assert both.returncode == 125 and "contradict" in both.stderr


def test_logs_are_followed(loaded_minirun: Minirun) -> None:
    """One until it has ended, several at the same time."""
    script = "while [ ! -e /shared/go ]; do sleep 0.02; done; echo $0 end"
    mounts = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}

    def waiter(name: str) -> dict[str, Any]:
        return {**app(name=name, **mounts), "command": ["sh", "-c", "echo $0 begin; " + script, name]}

    volumes = [{"name": "shared", "emptyDir": {}}]
    made = Pods(loaded_minirun).create(
        pod("two", waiter("a"), waiter("b"), restartPolicy="Never", volumes=volumes)
    )
    try:
        words = ("pod", "logs", "-f", "two", "--all-containers", "--prefix")
        # A second reader, who leaves after a line.
        leaver = loaded_minirun.popen(*words, stdout=-1, stderr=-1, text=True)
        assert leaver.stdout and leaver.stdout.readline()
        leaver.stdout.readline()
        leaver.stdout.close()
        with loaded_minirun.popen(*words, stdout=-1, text=True) as client:
            assert client.stdout
            first = {client.stdout.readline() for _ in range(2)}
            assert first == {"[pod/two/a] a begin\n", "[pod/two/b] b begin\n"}
            # It may take touch along when it ends.
            loaded_minirun("pod", "exec", "two", "-c", "a", "--", "touch", "/shared/go")
            rest = client.stdout.read()
        assert sorted(rest.splitlines()) == ["[pod/two/a] a end", "[pod/two/b] b end"]
        assert client.returncode == 0
        leaver.stdout = None
        assert leaver.communicate(timeout=30)[1] == "" and leaver.returncode == 141
    finally:
        made("rm", "-f")


# --- namespaces -----------------------------------------------------------------


def test_ns_is_the_proof_of_a_pod(web: Living) -> None:
    """NET, IPC and UTS are pause's; PID and MNT each one's own; the inodes are the kernel's."""
    lines = run(web, "ns").stdout.splitlines()
    assert lines[0].split() == ["NAMESPACE", "POD", "side", "app", "reader"]
    rows = {line.split()[0]: re.split(r" {2,}", line)[1:] for line in lines[1:]}
    pids = [web.pause, web.pid("side"), web.pid("app"), web.pid("reader")]
    assert rows["(process)"] == [f"pid {pid}" for pid in pids]
    for kind in ("net", "ipc", "uts"):
        *cells, verdict = rows[kind.upper()]
        assert set(cells) == {f"{os.stat(f'/proc/{web.pause}/ns/{kind}').st_ino} a"}
        assert verdict == "equal: all in one"
    for kind in ("pid", "mnt"):
        *cells, verdict = rows[kind.upper()]
        own = [os.stat(f"/proc/{pid}/ns/{kind}").st_ino for pid in pids]
        assert cells == [f"{inode} {mark}" for inode, mark in zip(own, "abcd", strict=True)]
        assert verdict == "different: each its own"
    host = os.stat("/proc/self/ns/user").st_ino
    assert rows["USER"] == [f"{host} host"] * 4 + ["the host's"]
    assert list(rows) == ["(process)", "NET", "IPC", "UTS", "PID", "MNT", "USER", "CGROUP", "TIME"]


def test_ns_for_programs(web: Living) -> None:
    found = json.loads(run(web, "ns", "--format", "json").stdout)
    assert found["processes"]["POD"] == web.pause
    kinds = {each["kind"]: each for each in found["namespaces"]}
    assert kinds["net"]["equal"] and not kinds["net"]["shared_with_host"]
    assert not kinds["mnt"]["equal"] and len(set(kinds["mnt"]["inodes"].values())) == 4
    assert kinds["user"]["shared_with_host"]


def test_ns_as_a_picture(web: Living, tmp_path: Path) -> None:
    """One box for what is shared, a box each for what is not; well-formed SVG."""
    file = tmp_path / "ns.svg"
    assert run(web, "ns", "--svg", str(file)).returncode == 0
    picture = ElementTree.parse(file).getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"pod web", "POD (pause)", "app", "NET", "MNT"} <= set(texts)
    assert texts.count(str(os.stat(f"/proc/{web.pause}/ns/net").st_ino)) == 1
    for pid in (web.pause, web.pid("app")):
        assert texts.count(str(os.stat(f"/proc/{pid}/ns/mnt").st_ino)) == 1
    assert run(web, "ns", "--svg", "-").stdout == file.read_text()
    assert "exclude one another" in run(web, "ns", "--svg", "-", "--format", "json").stderr


def test_ns_of_shared_processes(loaded_minirun: Minirun) -> None:
    """shareProcessNamespace shows; so does the host's network; and a pod that has ended has none."""
    pods = Pods(loaded_minirun)
    made = pods.create(pod("shared", app(), shareProcessNamespace=True, hostNetwork=True))
    try:
        found = json.loads(made("ns", "--format", "json"))
        kinds = {each["kind"]: each for each in found["namespaces"]}
        assert kinds["pid"]["equal"] and not kinds["pid"]["shared_with_host"]
        assert kinds["net"]["shared_with_host"] and kinds["uts"]["shared_with_host"]
        made("stop")
        refused = loaded_minirun("pod", "ns", "shared")
        assert refused.returncode == 125 and "its sandbox is gone" in refused.stderr
    finally:
        made("rm", "-f")


# --- processes and usage --------------------------------------------------------


def test_top(web: Living) -> None:
    """Every process of the pod, by its container; pause is one of them."""
    found = json.loads(run(web, "top", "--format", "json").stdout)
    by_pid = {each["pid"]: each for each in found}
    assert by_pid[web.pause]["container"] == "POD" and by_pid[web.pause]["command"] == "/pause"
    assert by_pid[web.pause]["uid"] == 65535
    app_ = by_pid[web.pid("app")]
    assert (app_["container"], app_["uid"], app_["pid_inside"]) == ("app", 0, 1)
    assert {each["container"] for each in found} == {"POD", "side", "app", "reader"}
    assert all(re.fullmatch(r"[\d.]+[KM]iB", each["rss"]) for each in found)
    assert any(each["container"] == "app" and each["ppid"] == web.pid("app") for each in found)  # its sleep
    assert run(web, "top").stdout.splitlines()[0].split()[:3] == ["CONTAINER", "UID", "PID"]


def test_stats(web: Living) -> None:
    """A line for the pod, which has all of it, and one for each container."""
    found = json.loads(run(web, "stats", "--no-stream", "--format", "json").stdout)
    rows = {each["container"]: each for each in found}
    assert set(rows) == {"", "side", "app", "reader"}
    processes = json.loads(run(web, "top", "--format", "json").stdout)
    assert rows[""]["pids"] == len(processes)
    assert rows["reader"]["pids"] == 1
    assert rows["app"]["memory_limit"] == 64 << 20 < rows["side"]["memory_limit"]
    assert 0 < rows["app"]["memory"] <= rows[""]["memory"]
    assert rows["app"]["memory_shown"].endswith("B / 64MiB")  # as the manifest has it: 64Mi
    assert all(re.fullmatch(r"\d+\.\d\d%", each["cpu"]) for each in found)


def test_stats_count_work(loaded_minirun: Minirun) -> None:
    """A loop is most of a CPU, a sleep is nothing; again and again until the reader leaves."""
    made = Pods(loaded_minirun).create(pod("work", app("while :; do :; done"), app(FOREVER, "idle")))
    try:
        with loaded_minirun.popen("pod", "stats", "work", stdout=-1, text=True) as client:
            assert client.stdout
            share = {"app": 0.0, "idle": 0.0}
            while share["app"] <= 5:  # a machine with much to do gives it less, for a time
                lines = [client.stdout.readline() for _ in range(4)]
                assert [line.startswith("POD") for line in lines] == [True, False, False, False]
                share = {line.split()[1]: float(line.split()[2].rstrip("%")) for line in lines[2:]}
            assert share["idle"] < 5
            assert client.stdout.readline().startswith("POD")  # and again
            client.terminate()
    finally:
        made("rm", "-f")


# --- what is known of it --------------------------------------------------------


def test_inspect_is_a_manifest(web: Living) -> None:
    """With a true status; the YAML is what `create` takes."""
    found = json.loads(run(web, "inspect").stdout)
    assert (found["apiVersion"], found["kind"]) == ("v1", "Pod")
    assert found["metadata"]["uid"] == web.home.uid and found["metadata"]["labels"]["app"] == "web"
    status = found["status"]
    assert (status["phase"], status["podIP"], status["qosClass"]) == ("Running", web.address, "Burstable")
    assert {each["type"]: each["status"] for each in status["conditions"]}["Ready"] == "True"
    states = {each["name"]: each for each in status["containerStatuses"]}
    assert states["app"]["containerID"] == f"minirun://{web.container().id}"
    assert states["app"]["ready"] is True and "running" in states["app"]["state"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"

    text = run(web, "inspect", "--format", "yaml").stdout
    assert yaml.safe_load(text)["status"]["podIP"] == web.address
    again = web.minirun("pod", "create", "-", input=text)  # it is understood; only the name is taken
    assert again.stderr.splitlines()[-3] == "minirun: there is a pod web already"
    assert run(web, "inspect", "--format", "{{.spec.containers}}").returncode == 0
    assert run(web, "inspect", "--format", "{{.nosuch}}").returncode == 125
    assert run(web, "inspect", "-o", "jsonpath={.status.podIPs[0].ip}").stdout == f"{web.address}\n"
    assert run(web, "inspect", "-o", "{.status.containerStatuses[0].ready}").stdout == "true\n"
    refused = run(web, "inspect", "-o", "jsonpath={.spec.containers[*].name}")
    assert refused.returncode == 125 and "'[*].name' is none of" in refused.stderr
    both = json.loads(web.minirun("pod", "inspect", "web", web.home.uid[:9]).stdout)
    assert (both["kind"], len(both["items"])) == ("List", 2)


def test_port(web: Living) -> None:
    line = f"80/tcp -> 0.0.0.0:{PORT}\n"
    assert run(web, "port").stdout == line
    for word in ("80", "80/tcp", "http", "http/tcp"):
        assert run(web, "port", word).stdout == f"0.0.0.0:{PORT}\n"
    missing = run(web, "port", "80/udp")
    assert missing.returncode == 125 and line.strip() in missing.stderr


def test_events(web: Living) -> None:
    """The oldest first; of all pods if none is named."""
    lines = [re.split(r" {2,}", line) for line in run(web, "events").stdout.splitlines()]
    assert lines[0] == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert [line[2] for line in lines[1:4]] == ["SandboxCreated", "Pulled", "Created"]
    assert {line[3].partition("{")[0] for line in lines[1:]} == {"pod/web"}
    (app,) = [line for line in lines if line[2:4] == ["Started", "pod/web{app}"]]
    assert app[4] == "Started container app"
    everything = json.loads(web.minirun("pod", "events", "--format", "json").stdout)
    assert [each["reason"] for each in everything][:2] == ["SandboxCreated", "Pulled"]
    assert "needs a pod" in web.minirun("pod", "events", "-f").stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("-l", "app=web"), True),
        (("-l", "app=web,tier!=front"), False),
        (("-l", "tier in (back, front)"), True),
        (("-l", "!app"), False),
        (("-f", "name=we"), True),
        (("-f", "status=running"), True),
        (("-f", "status=Failed"), False),
        (("-f", "label=tier=front", "-f", "name=x"), False),
    ],
)
def test_ps_chooses(web: Living, words: tuple[str, ...], shown: bool) -> None:
    found = web.minirun("pod", "ps", "--format", "{{.Name}}", *words, check=True).stdout
    assert found == ("web\n" if shown else "")


def test_ps_for_programs(web: Living) -> None:
    """--format json has all; -q the uids, whole with --no-trunc."""
    (row,) = json.loads(web.minirun("pod", "ps", "--format", "json").stdout)
    assert (row["name"], row["ready"], row["phase"]) == ("web", "3/3", "Running")
    assert row["ip"] == web.address in row["ips"] and row["id"] == web.home.uid
    assert [each["name"] for each in row["containers"]] == ["prep", "side", "app", "reader"]
    short = web.minirun("pod", "ps", "-q").stdout.strip()
    assert web.home.uid.startswith(short) and len(short) == 13
    assert web.minirun("pod", "ps", "-q", "--no-trunc").stdout.strip() == web.home.uid
    assert web.minirun("pod", "ls", "-o", "name").stdout == "pod/web\n"
    assert ", fd" in web.minirun("pod", "ps", "-o", "wide").stdout
    assert web.minirun("pod", "inspect", short, "--format", "{{.metadata.name}}").stdout == "web\n"
