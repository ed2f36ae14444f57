"""Rules between the fields of a pod: namespaces, names, DNS, time.

Layer: pod; pure. Read next: rules_container.py.
"""

from __future__ import annotations

from minirun.pod.manifest import rules_resources, rules_security, rules_volume
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import PodSpec

#: resolv.conf(5) and glibc's limits, as Kubernetes has taken them over.
MOST_NAMESERVERS, MOST_SEARCHES, MOST_SEARCH_CHARACTERS = 3, 32, 2048


def check(spec: PodSpec, path: str) -> Iterator[Finding]:
    """Everything about the pod as a whole."""
    yield from namespaces(spec, path)
    yield from names(spec, path)
    yield from dns(spec, path)
    yield from rules_volume.check(spec, f"{path}.volumes")
    yield from rules_security.check_pod(spec, path)
    yield from rules_resources.check_pod(spec, path)
    if spec.ephemeralContainers:
        why = "cannot be in a manifest: start the pod, then use `minirun pod debug`"
        yield f"{path}.ephemeralContainers", why


def namespaces(spec: PodSpec, path: str) -> Iterator[Finding]:
    """Which namespaces may be shared with the host together with which others."""
    if spec.shareProcessNamespace and spec.hostPID:
        why = "cannot stand beside hostPID: the processes are shared with the host already"
        yield f"{path}.shareProcessNamespace", why
    if spec.hostUsers is False:
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if getattr(spec, field):
                why = (
                    "cannot stand beside hostUsers: false: a user namespace has no say over the host's others"
                )
                yield f"{path}.{field}", why
    if spec.hostNetwork:
        for kind in ("containers", "initContainers"):
            for number, container in enumerate(getattr(spec, kind)):
                for index, port in enumerate(container.ports):
                    if port.hostPort and port.hostPort != port.containerPort:
                        place = f"{path}.{kind}[{number}].ports[{index}].hostPort"
                        yield place, f"has to be the containerPort ({port.containerPort}) with hostNetwork"


def names(spec: PodSpec, path: str) -> Iterator[Finding]:
    """hostnameOverride is a word of its own; the others do not go with it."""
    if not spec.hostnameOverride:
        return
    for field in ("setHostnameAsFQDN", "hostNetwork"):
        if getattr(spec, field):
            yield f"{path}.hostnameOverride", f"cannot stand beside {field}"


def notes(spec: PodSpec, path: str) -> Iterator[Finding]:
    """What has no effect beside something else."""
    for field in ("hostname", "subdomain", "setHostnameAsFQDN"):
        if spec.hostNetwork and getattr(spec, field):
            yield f"{path}.{field}", "hostNetwork goes with the host's own name"


def dns(spec: PodSpec, path: str) -> Iterator[Finding]:
    """dnsPolicy None takes everything from dnsConfig, and resolv.conf has limits."""
    config = spec.dnsConfig
    if spec.dnsPolicy == "None" and not (config and config.nameservers):
        yield f"{path}.dnsConfig.nameservers", "needs at least one with dnsPolicy None"
    if config is None:
        return
    for field, given, most in (
        ("nameservers", len(config.nameservers), MOST_NAMESERVERS),
        ("searches", len(config.searches), MOST_SEARCHES),
    ):
        if given > most:
            yield f"{path}.dnsConfig.{field}", f"has {given}, and {most} are the most that a resolver reads"
    if len(" ".join(config.searches)) > MOST_SEARCH_CHARACTERS:
        why = f"has more than {MOST_SEARCH_CHARACTERS} characters, spaces included"
        yield f"{path}.dnsConfig.searches", why
