"""A pod's volumes: directories with a name, made before its containers, gone after them.

Layer ``pod``. Deciding is pure: a pod, its ConfigMaps and Secrets become a
``VolumePlan``, which has the steps and knows where each volume will lie.

    planned.py      Places, Planned, VolumePlan: the nouns
    sources.py      plan: from each kind of source to steps
    contents.py       what the files of configMap, secret, projected, downwardAPI are
    directories.py  empty directories, memory, the layers of an image
    host_path.py    what has to be at a path of the host's
    payload.py      files that change all at once, behind the link ``..data``
    ownership.py    fsGroup, for volumes that had files before
    mounting.py     mounts: from volumeMounts to the mounts of a container
    subpath.py      prepare: a part of a volume, from which no link leads out
    usage.py        how much an emptyDir holds, against its sizeLimit
    sweep.py        unmake: found by the directories alone

Disk volumes lie below ROOT/pods/UID/volumes, what must stay in memory below
STATE/pods/UID/volumes. Making twice is making once, so who was killed in the
middle begins again. Read ``planned.py`` next.
"""

from __future__ import annotations

from minirun.pod.volumes.mounting import mounts
from minirun.pod.volumes.planned import Places, Planned, VolumePlan
from minirun.pod.volumes.sources import make, plan, refresh
from minirun.pod.volumes.subpath import prepare
from minirun.pod.volumes.sweep import sweep, unmake
from minirun.pod.volumes.usage import is_limited, over_limit, usage

__all__ = [
    "Places",
    "Planned",
    "VolumePlan",
    "plan",
    "make",
    "refresh",
    "mounts",
    "prepare",
    "usage",
    "is_limited",
    "over_limit",
    "unmake",
    "sweep",
]
