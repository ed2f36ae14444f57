"""The manifests of manifests/ by `podman kube play`: what podman makes of each, and why it differs.

Of each manifest both make pods; what is compared is how every container ends (or that
it runs, is ready, is begun again and again), and what it prints. Where podman comes to
something else, DIFFERENCES says to what, and why: none of these is minirun's to mend,
for it is minirun that does what Kubernetes documents.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from minirun.pod.manifest.types import ContainerStatus
from tests.bench import peers
from tests.conftest import Minirun
from tests.needs import needs
from tests.patience import PATIENCE
from tests.pod.expectations import (
    CLAIM,
    MANIFESTS,
    ON_THE_HOST,
    asked_for,
    created_names,
    place_on_the_host,
    said_after,
    wait_until_as_expected,
)
from tests.pod.living import Living

pytestmark = [
    pytest.mark.slow,
    needs("root", "overlay", "memory", "cpu", "pids", "podman", "runc", "catatonit"),
]

AT_ONCE = 4
#: What a container does without CAP_SYS_RESOURCE around it: no higher limits than these.
CONFIGURATION = '[containers]\ndefault_ulimits = ["nofile=10000:10000", "nproc=10000:10000"]\n'
#: Of all manifests there is a test with MINIRUN_KUBE_PLAY=all, which takes a minute or two; else of these.
QUICK = (
    *(
        "command-and-args",
        "deployment",
        "env-missing-config-map",
        "env-values",
        "host-ipc",
    ),
    *("minimal", "pattern-adapter", "restart-on-failure", "security-capabilities"),
    *("security-restricted", "shared-namespaces", "stdin-and-tty"),
    *("termination-message", "volume-host-path", "volume-mount-propagation"),
)
PLAYED = [path for path in MANIFESTS if os.environ.get("MINIRUN_KUBE_PLAY") == "all" or path.stem in QUICK]

REFUSED, RUNNING, RESTARTS = "refused", "running", "restarts"
_WAITS = "with podman no pod waits: what is missing is an error, and the pod stays half-made"
_SOURCES = "podman has volumes of hostPath, configMap, secret, emptyDir and persistentVolumeClaim, no others"
_KINDS = "podman reads Pod, Deployment, ConfigMap, Secret and PersistentVolumeClaim, no other kind"
_SIDECARS = "podman has no sidecars: an init container with a probe is refused"
_RUNS_ON = "minirun refuses what it cannot give; podman passes over it, and runs the container without"
_SUBUID = "podman takes ids from the entry `containers` of /etc/subuid, minirun from those that nobody has"

#: Manifest -> (what podman 4.3 comes to, why). What is not here comes to the same.
DIFFERENCES = {
    "active-deadline": ("main=running", "podman passes over activeDeadlineSeconds"),
    "command-and-args": ("both=1 workdir=0", "$$ stays $$: podman does not know the escape"),
    "daemon-set": (REFUSED, _KINDS),
    "env-config-map-and-secret": (
        REFUSED,
        "podman stores a Secret of the file as YAML, and for a secretKeyRef reads it as JSON",
    ),
    "env-field-ref": (
        REFUSED,
        "of a pod's fields podman knows metadata.name, uid, labels and annotations",
    ),
    "env-missing-config-map": (REFUSED, _WAITS),
    "env-resource-field-ref": (REFUSED, "podman has cpu and memory, not ephemeral-storage"),
    "env-values": ("main=1", "podman expands $(VAR) in commands, not in the value of another variable"),
    "generate-name": (REFUSED, "podman has no generateName"),
    "host-network": (REFUSED, "podman refuses a hostPort beside hostNetwork, and does not know status.podIP"),
    "host-users-false": (REFUSED, _SUBUID),
    "hostname-and-subdomain": (
        "main=1",
        "podman passes over subdomain, and its hosts file does not say whose it is",
    ),
    "hostname-as-fqdn": ("main=1", "podman passes over subdomain and setHostnameAsFQDN"),
    "hostname-override": ("main=1", "podman is older than hostnameOverride"),
    "image-missing": (REFUSED, _WAITS),
    "init-container-fails": (
        REFUSED,
        "kube play waits for init containers, and one that fails is its own error",
    ),
    "job": (REFUSED, _KINDS),
    "lifecycle-hooks": (
        "exec=running http=running sleep=running",
        "podman passes over lifecycle: what waits for its postStart hook waits for ever",
    ),
    "lifecycle-post-start-fails": ("main=running", "podman passes over lifecycle"),
    "list": (REFUSED, _KINDS),
    "pattern-ambassador": (REFUSED, _SIDECARS),
    "probes-tcp-and-grpc": (
        "main=running",
        "podman passes over readinessProbe and grpc: nothing is ever not ready",
    ),
    "refused-alpha-fields": ("main=restarts", _RUNS_ON),
    "refused-devices-and-huge-pages": ("main=restarts", _RUNS_ON),
    "refused-ephemeral-containers": (
        "main=restarts",
        "a cluster refuses that as well; podman passes over it",
    ),
    "refused-runtime-class": ("main=restarts", _RUNS_ON),
    "refused-unsafe-sysctl": (
        "main=restarts",
        "a cluster refuses that as well; podman passes over all sysctls",
    ),
    "refused-volume-devices": ("main=restarts", _RUNS_ON),
    "refused-windows-and-selinux": ("main=restarts", _RUNS_ON),
    "resources-best-effort": ("main=1", "podman does not set oom_score_adj: it has no classes of pods"),
    "resources-burstable": (
        "nothing=0 request=1",
        "podman does not set oom_score_adj: it has no classes of pods",
    ),
    "restart-policy-rules": ("main=42", "podman is older than restartPolicyRules"),
    "security-apparmor-localhost": ("main=restarts", "podman passes over appArmorProfile"),
    "security-non-root-image": ("main=restarts", "podman passes over runAsNonRoot, and runs it as root"),
    "security-proc-mount": (REFUSED, _SUBUID),
    "security-seccomp-localhost": (
        "main=restarts",
        "podman passes over seccompProfile: it reads annotations",
    ),
    "security-seccomp-unconfined": (
        "filtered=0 open=1",
        "podman passes over seccompProfile: it reads annotations",
    ),
    "security-sysctls": ("main=1", "podman passes over sysctls"),
    "security-user-and-groups": ("own=0 pods=1", "podman passes over fsGroup"),
    "sidecar": (REFUSED, _SIDECARS),
    "stdin-once": ("main=0", "podman passes over stdin, and the program reads the end of /dev/null"),
    "volume-claim": ("main=1", "podman passes over a claim's readOnly"),
    "volume-config-map-and-secret": (
        REFUSED,
        "podman crashes: an optional Secret that is not there is a nil pointer",
    ),
    "volume-downward-api": (REFUSED, _SOURCES),
    "volume-empty-dir": (
        REFUSED,
        "podman refuses a volume without a source, which is an emptyDir in a cluster",
    ),
    "volume-image": (REFUSED, _SOURCES),
    "volume-projected": (REFUSED, _SOURCES),
    "volume-sub-path": (
        "main=1",
        "podman passes over subPath and subPathExpr of such a volume: all of it is mounted",
    ),
}


#: What the outcomes do not show. Where a pod cannot use a field, minirun says so in a note, or refuses it.
BESIDES = {
    "cluster-only": "podman says nothing of the fields that it passes over",
    "crash-loop": "podman starts it again at once, for ever: there is no back-off",
    "dns-default-with-config": "podman passes over dnsPolicy; dnsConfig it has",
    "ports": "podman publishes every containerPort on the host, at the same number, without being asked",
    "probes-exec": "podman has liveness and startup probes as healthchecks, for systemd timers to run",
    "probes-http": "podman asks by curl, and tcpSocket by nc, in the container: the image has to have them",
    "restart-on-failure": "podman's emptyDir is a volume of that name: pods that are there at once share it",
    "runtime-class": "podman passes over runtimeClassName, whatever it says",
    "termination-message": "podman passes over terminationMessagePath and terminationMessagePolicy",
}


class Podman:
    """podman with runc, in a directory of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        (place / "containers.conf").write_text(CONFIGURATION)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(place / "containers.conf")}
        self.command = peers.Podman(place).command

    def __call__(self, *words: str, **options: str) -> subprocess.CompletedProcess[str]:
        """``podman WORDS``, as it ends."""
        return subprocess.run(
            [*self.command, *words],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=60,
            check=False,
            **options,
        )

    def close(self) -> None:
        """Removes everything that it has made."""
        self("pod", "rm", "--force", "--time", "0", "--all")
        peers.release(self.place)


class Outcome:
    """What a manifest came to: of each container its name, how it is, and what it has printed."""

    def __init__(self, containers: Iterable[tuple[str, str, list[str]]] | None) -> None:
        self.containers = None if containers is None else sorted(containers)

    def __str__(self) -> str:
        """``main=0 other=running``; ``refused`` where nothing runs."""
        if self.containers is None:
            return REFUSED
        return " ".join(f"{name}={word}" for name, word, _ in self.containers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and self.containers == other.containers

    def __repr__(self) -> str:
        return f"{self}: {self.containers}"


@pytest.fixture(autouse=True)
def no_leaks() -> None:
    """Stands for conftest's: while one test looks at its pod others live."""


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, loaded_minirun: Minirun, test_dir: Path
) -> Iterator[dict[Path, Future[tuple[Outcome, Outcome]]]]:
    """What minirun and podman make of each manifest that a test will ask for."""
    wanted = asked_for(request)
    groups = peers.cgroups()
    podman = Podman(test_dir / "podman")
    try:
        with place_on_the_host(test_dir / "play") as place, ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {path: pool.submit(both, loaded_minirun, podman, path, place) for path in wanted}
            yield futures
            for future in futures.values():
                future.cancel()
    finally:
        podman.close()
        peers.remove_empty(peers.cgroups() - groups)
        loaded_minirun("volume", "rm", CLAIM)


@pytest.mark.parametrize("manifest", PLAYED, ids=lambda path: path.stem)
def test_podman_comes_to_the_same_or_the_difference_is_known(
    manifest: Path, outcomes: dict[Path, Future[tuple[Outcome, Outcome]]]
) -> None:
    """The table is true: podman does what it says, and that is something else."""
    ours, theirs = outcomes[manifest].result()
    if manifest.stem in DIFFERENCES:
        assert str(theirs) == DIFFERENCES[manifest.stem][0] and theirs != ours
    else:
        assert theirs == ours


def test_every_difference_is_of_a_manifest_that_is_there() -> None:
    """And the tables are in the order of the files."""
    for table in (DIFFERENCES, BESIDES):
        assert list(table) == [path.stem for path in MANIFESTS if path.stem in table]
    assert {path.stem for path in MANIFESTS} >= set(QUICK)


def both(minirun: Minirun, podman: Podman, manifest: Path, place: str) -> tuple[Outcome, Outcome]:
    """The outcomes: one after the other, for they want the same ports of the host."""
    text = manifest.read_text().replace(ON_THE_HOST, place)
    ours = run_here(minirun, text)
    wanted = DIFFERENCES[manifest.stem][0] if manifest.stem in DIFFERENCES else str(ours)
    return ours, play(podman, text, wanted)


def run_here(minirun: Minirun, text: str) -> Outcome:
    """What minirun makes of it."""
    created = minirun("pod", "create", "-", input=text)
    if created.returncode:
        assert said_after("# expect: ", text)[0].startswith(("refused ", "not made ")), created.stderr
        return Outcome(None)
    names = created_names(created.stdout)
    try:
        pods = wait_until_as_expected(minirun, names, text)
        return Outcome(
            (status.name, word_of(pod, status), pod.log(status.name) if pod.run(status.name).id else [])
            for pod in pods
            for status in pod.status.containerStatuses
        )
    finally:
        for name in names:
            minirun("pod", "rm", "-f", name, check=True)


def word_of(pod: Living, status: ContainerStatus) -> str:
    """How a container is, in a word: its exit code, or what it does instead of ending."""
    state = status.state
    if state.terminated:
        return str(state.terminated.exitCode)
    if state.running:
        return RUNNING if status.ready else f"{RUNNING}, not ready"
    if status.restartCount:
        return RESTARTS
    return state.waiting.reason if state.waiting else ""


def play(podman: Podman, text: str, wanted: str) -> Outcome:
    """What podman makes of it: as soon as that is what is ``wanted``, or after PATIENCE."""
    played = podman("kube", "play", "--network", "podman", "-", input=text)
    try:
        if played.returncode:
            return Outcome(None)
        deadline = time.monotonic() + PATIENCE
        while True:
            found = Outcome(look(podman, played.stdout, text))
            if str(found) == wanted or time.monotonic() > deadline:
                return found
            time.sleep(0.2)  # podman is asked again, which takes as long itself
    finally:
        podman("pod", "rm", "--force", "--time", "0", *ids_after("Pod", played.stdout))


def look(podman: Podman, said: str, text: str) -> Iterator[tuple[str, str, list[str]]]:
    """The containers that kube play has made."""
    names = sorted(re.findall(r"name: ([\w-]+)", text), key=len)
    shown = podman("container", "inspect", *ids_after("Container", said))
    for each in json.loads(shown.stdout):
        state = each["State"]
        name = [name for name in names if each["Name"].endswith(f"-{name}")][-1]
        ended = state["Status"] == "exited"
        word = str(state["ExitCode"]) if ended else RESTARTS if each["RestartCount"] else RUNNING
        printed = podman("logs", each["Id"])
        yield name, word, (printed.stdout + printed.stderr).splitlines()


def ids_after(word: str, said: str) -> list[str]:
    """The ids below the headings ``Pod:``, ``Containers:`` of what kube play prints."""
    blocks = re.findall(rf"^{word}s?:\n((?:[0-9a-f]{{64}}\n)+)", said, re.MULTILINE)
    return [id for block in blocks for id in block.split()]
