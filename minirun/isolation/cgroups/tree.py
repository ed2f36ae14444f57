"""Which directories a container has in the cgroup trees, and what each is for.

Part of ``isolation/cgroups``. A ``Group`` is one name (``/minirun/ID``) in
several trees:

    v2    always when cgroup2 is mounted: kill and freeze come with the tree,
          and the controllers that this host has there
    v1    memory, pids, devices, cpu; cpuset and blkio only if asked for;
          freezer and cpuacct only where there is no v2 tree to do their work

A v1 tree costs 40 us to enter and leave (memory 150), so no more than these.
What was asked for and has no controller is refused here, by name. Read
__init__.py next, for the steps that make the directories.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported
from minirun.isolation.cgroups.layout import V1_NAMES, Layout
from minirun.spec import Resources, Spec
from minirun.values import Value

#: Made for every container: to see an OOM kill, to count, to deny devices.
BASE = ("memory", "pids", "cpu")

#: The annotation that gives a container a leaf: its value is the leaf's name.
LEAF = "minirun.leaf"


class Group(Value):
    """One container's (or pod's) directories, by what they are good for."""

    path: str
    """Below each mount point: ``/minirun/ID``."""
    v2: str = ""
    """The directory in the v2 tree, with no slash at its end; empty without one."""
    leaf: str = ""
    """Where its processes are in the v2 tree: ``v2`` itself, or a child of it."""
    v2_controllers: tuple[str, ...] = ()
    """Those that must be enabled from the top of the v2 tree down to here."""
    v1: dict[str, str] = {}
    """v1's controller -> directory. Two that are mounted together share one."""

    def directory(self, controller: str) -> tuple[int, str]:
        """The version of ``controller`` and its directory; (0, "") without."""
        if controller in self.v2_controllers:
            return 2, self.v2
        found = self.v1.get(V1_NAMES.get(controller, controller), "")
        return (1, found) if found else (0, "")

    @property
    def v1_directories(self) -> tuple[str, ...]:
        """Each v1 directory once."""
        return tuple(dict.fromkeys(self.v1.values()))

    @property
    def directories(self) -> tuple[str, ...]:
        """All of them, the deepest first, v2's before v1's."""
        v2 = tuple(dict.fromkeys(place for place in (self.leaf, self.v2) if place))
        return v2 + self.v1_directories


def group_of(spec: Spec, layout: Layout) -> Group:
    """The group of a container. Raises InvalidInput, or Unsupported for a controller."""
    leaf = spec.annotations.get(LEAF, "")
    if leaf and (not _plain(leaf) or leaf in ("init", "tasks")):
        raise InvalidInput(f"annotation {LEAF}={leaf!r} is no name for a group", "", "use one word")
    return group(path_of(spec), spec.linux.resources, layout, leaf)


def group(path: str, resources: Resources, layout: Layout, leaf: str = "") -> Group:
    """The group at ``path`` that can hold ``resources`` on this host."""
    asked = asked_for(resources)
    for controller, wish in asked.items():
        if not layout.version(controller):
            raise _no_controller(controller, wish, layout)
    v2 = layout.v2 + path if layout.v2 else ""
    used = dict.fromkeys((*BASE, *asked))
    v1 = [V1_NAMES.get(each, each) for each in used if layout.version(each) == 1]
    v1 += ["devices"] if "devices" in layout.v1 else []
    v1 += [] if v2 else [each for each in ("freezer", "cpuacct") if each in layout.v1]
    return Group(
        path=path,
        v2=v2,
        leaf=f"{v2}/{leaf}" if v2 and leaf else v2,
        v2_controllers=tuple(each for each in used if layout.version(each) == 2),
        v1={each: layout.v1[each] + path for each in v1},
    )


def asked_for(resources: Resources) -> dict[str, str]:
    """Controller -> the wish that needs it, in words. Zero, None and -1 (unlimited) are none."""
    memory, cpu, io = resources.memory, resources.cpu, resources.blockIO
    throttled = (
        io.throttleReadBpsDevice
        or io.throttleWriteBpsDevice
        or io.throttleReadIOPSDevice
        or io.throttleWriteIOPSDevice
    )
    wishes = (
        ("memory", "a memory limit", _limits(memory.limit, memory.reservation) or memory.disableOOMKiller),
        ("memory", "a swap limit", _limits(memory.swap)),
        ("cpu", "a CPU limit", _limits(cpu.quota, cpu.period, cpu.shares)),
        ("cpuset", "a set of CPUs or memory nodes", cpu.cpus or cpu.mems),
        ("pids", "a limit on processes", resources.pids and _limits(resources.pids.limit)),
        ("io", "a limit on block I/O", io.weight or throttled),
    )
    asked: dict[str, str] = {}
    for controller, wish, given in wishes:
        if given:
            asked.setdefault(controller, wish)
    return asked


def _limits(*values: int | None) -> bool:
    return any(value is not None and value > 0 for value in values)


def path_of(spec: Spec) -> str:
    """``/minirun/ID``: the spec's own cgroupsPath if it has one.

    A relative one is below ``/minirun``. Raises InvalidInput for one that
    leaves the tree, Unsupported for systemd's ``slice:prefix:name``.
    """
    given = spec.linux.cgroupsPath or spec.id
    if given.count(":") == 2 and "/" not in given:
        raise Unsupported(
            f"cgroupsPath {given!r} is for systemd's cgroup driver",
            "minirun makes its cgroups by itself",
            "give a path, such as /minirun/NAME",
        )
    parts = [part for part in given.split("/") if part]
    if not parts or not all(_plain(part) for part in parts):
        raise InvalidInput(
            f"cgroupsPath {given!r} is not a path below a cgroup tree", "", "try /minirun/NAME"
        )
    return "/" + "/".join(parts if given.startswith("/") else ["minirun", *parts])


def _plain(name: str) -> bool:
    return name not in (".", "..") and "/" not in name and name.isprintable()


def _no_controller(controller: str, wish: str, layout: Layout) -> Unsupported:
    offers = " ".join(layout.v2_controllers) or "none"
    places = f"v2 at {layout.v2}: {offers}" if layout.v2 else "no v2"
    return Unsupported(
        f"this host cannot give the container {wish}",
        f"no cgroup tree has the {controller} controller (v1: {' '.join(layout.v1) or 'none'}; {places})",
        "mount it, or do not ask for that limit; `minirun doctor` shows the layout",
    )
