"""The hostname: what uname(2) says, kept in the UTS namespace.

Layer ``isolation``. The smallest promise, and the first to read: a Step is
one system call that is not made yet. See uts_namespaces(7).
"""

from __future__ import annotations

from minirun.linux import namespace
from minirun.spec import Spec
from minirun.steps import Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def steps(spec: Spec) -> Iterator[Step]:
    """Names the container, where its UTS namespace is its own."""
    if not any(ns.type == "uts" and not ns.path for ns in spec.linux.namespaces):
        return
    if spec.hostname:
        yield Step(
            "set the hostname",
            Call(namespace.sethostname, spec.hostname),
            why="the new UTS namespace began as a copy of the host's",
            chapter="04",
        )
    if spec.domainname:
        yield Step(
            "set the domain name",
            Call(namespace.setdomainname, spec.domainname),
            why="the NIS name beside the hostname, in the same namespace",
            chapter="04",
        )
