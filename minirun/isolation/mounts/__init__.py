"""What the container sees of files: a mount table of its own, filled in this order.

Layer ``isolation``. In the container's first process, in its new mount
namespace, from the host's tree to one of its own:

    root.py      private_root   nothing mounted below reaches the host
    populate.py  populate       /proc, /dev, /sys, volumes; bind.py, cgroup.py
    root.py      pivot          pivot_root(2): the host's tree is gone
    protect.py   protect        masked and read-only paths, looked at again

``options.py`` reads the words of mount(8) (ro, rbind, rprivate ...), and
``defaults.py`` has the mounts of a container for which nobody said otherwise.
See mount_namespaces(7), mount(2), pivot_root(2). Read ``root.py`` next.
"""

from __future__ import annotations

from minirun.isolation.mounts.bind import host_steps
from minirun.isolation.mounts.populate import populate
from minirun.isolation.mounts.protect import protect
from minirun.isolation.mounts.root import pivot, private_root

__all__ = ["host_steps", "pivot", "populate", "private_root", "protect"]
