"""From what was asked, and an image, to the OCI Spec: docker's rules, in one place.

Layer ``container``. Pure but for looks at files that anyone may read (a seccomp
profile, a device's number, the image's /etc/passwd). One function for each part
of the Spec; what a program may is in ``specify_privileges.py``, what it gets in
``specify_resources.py``. Read ``plan.py`` next, which makes steps of a Spec.
"""

from __future__ import annotations

import os

from minirun.container import specify_mounts, specify_privileges, specify_resources
from minirun.container.options import Options, check
from minirun.errors import UsageError
from minirun.image import lookup
from minirun.spec import IDMapping, Linux, Namespace, Process, Root, Spec, TimeOffset, User
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minirun.image.config import Image


DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: How many ids a user namespace of its own gets.
IDS = 65536


class Lent(Value):
    """What the host lends to one container: directories, a program, ids."""

    rootfs: str
    upperdir: str
    workdir: str
    volumes: str = ""
    """Where named volumes are kept."""
    init: str = ""
    """native/init, for --init."""
    first_id: int = 0
    """The first of 65536 free ids, for a user namespace of its own."""


def spec_of(options: Options, image: Image, id: str, lent: Lent, pid_of: Callable[[str], int]) -> Spec:
    """The Spec of the container ``id``.

    ``pid_of`` gives the pid of a running container by its name, to share its
    namespaces. Raises UsageError for words that contradict each other, and
    what the readers of the single parts raise.
    """
    check(options)
    namespaces = tuple(_namespaces(options, pid_of))
    hostname = _hostname(options, id)
    process, home = _process(options, image, hostname)
    privileges = specify_privileges.privileges_of(options, process.user.uid)
    ids = _mappings(options, lent)
    return Spec(
        id=id,
        root=Root(
            path=lent.rootfs,
            readonly=options.read_only,
            layers=image.layers,
            upperdir=lent.upperdir,
            workdir=lent.workdir,
            volatile=options.rm,
        ),
        process=process,
        hostname=hostname,
        domainname=options.domainname,
        annotations=options.annotation,
        linux=Linux(namespaces=namespaces),
    )
