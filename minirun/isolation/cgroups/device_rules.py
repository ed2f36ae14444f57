"""Which devices a container may use: OCI's list of rules, and what it means.

Part of ``isolation/cgroups``. A rule allows or denies some accesses (read,
write, mknod) to some devices. The list is read for **each access by itself**,
and the last rule that speaks about it wins; where none speaks it is denied.
device_filter.py turns that meaning into a program for cgroup v2; here is
what v1 gets, lines for ``devices.allow`` and ``devices.deny``. OCI's
config-linux.md, "Allowed Device list"; Documentation/admin-guide/cgroup-v1/devices.rst.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported
from minirun.linux import cgroup
from minirun.spec import DeviceRule
from minirun.steps import Call
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    #: A type, a major and a minor number; None for every number.
    Device = tuple[str, int | None, int | None]

ACCESSES = "rwm"


class Rule(Value):
    """A DeviceRule made simple: one type, and None for "every number"."""

    allow: bool
    type: str
    """``b`` or ``c``."""
    major: int | None = None
    minor: int | None = None
    access: str = ACCESSES

    @property
    def whole(self) -> bool:
        """Speaks about every device of its type, and every access."""
        return self.major is None and self.minor is None and self.access == ACCESSES

    def line(self) -> str:
        """As v1's files take it: ``c 136:* rwm``."""
        numbers = ":".join("*" if n is None else str(n) for n in (self.major, self.minor))
        return f"{self.type} {numbers} {self.access}"


def _always(major: int, minor: int | None) -> DeviceRule:
    return DeviceRule(allow=True, type="c", major=major, minor=minor)


#: What every container has, whatever its rules say (config-linux.md, "Default
#: Devices"): making any node, for a node alone opens nothing; null, zero, full,
#: random, urandom; tty, console, ptmx, and the terminals of its own devpts.
BASELINE = (
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(_always(1, minor) for minor in (3, 5, 7, 8, 9)),
    *(_always(5, minor) for minor in (0, 1, 2)),
    _always(136, None),
)


def simplified(rules: Iterable[DeviceRule]) -> list[Rule]:
    """Checked rules of one type each; one that a later rule hides is left out.

    Raises InvalidInput for a type or an access that the kernel does not know.
    """
    simple: list[Rule] = []
    for rule in rules:
        kinds = {"a": "bc", "b": "b", "c": "c", "u": "c"}.get(rule.type or "a", "")
        access = "".join(each for each in ACCESSES if each in rule.access)
        if not kinds or not access or set(rule.access) - set(ACCESSES):
            raise InvalidInput(
                f"device rule {rule.type!r} {rule.access!r} makes no sense",
                "a type is a, b, c or u, an access some of r, w and m",
                "see config-linux.md, Allowed Device list",
            )
        for kind in kinds:
            made = Rule(
                allow=rule.allow,
                type=kind,
                major=_number(rule.major),
                minor=_number(rule.minor),
                access=access,
            )
            simple = [other for other in simple if not _hides(made, other)]
            simple.append(made)
    return simple


def allows_all(rules: list[Rule]) -> bool:
    """Whether nothing is denied: a privileged container needs no filter."""
    return all(rule.allow for rule in rules) and {r.type for r in rules if r.whole} == {"b", "c"}


def v1_writes(directory: str, rules: list[Rule]) -> list[Call]:
    """The writes that give a new v1 devices group this meaning.

    v1 knows one default and a set of exceptions, so a rule that takes a part
    out of a wider one cannot be said: Unsupported, for less would be a hole.
    """
    if allows_all(rules):
        return []
    default = all(any(r.whole and r.allow and r.type == kind for r in rules) for kind in "bc")
    exceptions: dict[Device, str] = {}
    for rule in rules:
        if rule.whole and rule.allow == default:
            continue
        if rule.allow == default:
            _take_back(exceptions, rule)
        else:
            _add(exceptions, rule, together=not default)
    verb = "deny" if default else "allow"
    lines = [] if default else [Call(cgroup.write, f"{directory}/devices.deny", "a")]
    for (kind, major, minor), access in exceptions.items():
        line = Rule(allow=not default, type=kind, major=major, minor=minor, access=access).line()
        lines.append(Call(cgroup.write, f"{directory}/devices.{verb}", line))
    return lines


def _hides(later: Rule, rule: Rule) -> bool:
    same = _covers((later.type, later.major, later.minor), (rule.type, rule.major, rule.minor))
    return same and set(rule.access) <= set(later.access)


def _add(exceptions: dict[Device, str], rule: Rule, together: bool) -> None:
    """Adds an exception. An allowing one must say ``together`` all that is allowed
    of its device: the kernel wants all the accesses of an open(2) in one line."""
    key = (rule.type, rule.major, rule.minor)
    access = rule.access + exceptions.get(key, "")
    for other, more in list(exceptions.items()):
        if together and other != key:
            if _covers(other, key):
                access += more
            elif _covers(key, other):
                exceptions[other] = _ordered(more + rule.access)
    exceptions[key] = _ordered(access)


def _take_back(exceptions: dict[Device, str], rule: Rule) -> None:
    """Removes what ``rule`` speaks about from the exceptions made so far."""
    key = (rule.type, rule.major, rule.minor)
    for other, access in list(exceptions.items()):
        if not set(access) & set(rule.access) or not _meet(key, other):
            continue
        if not _covers(key, other):
            raise Unsupported(
                f"this host cannot keep the device rule {rule.line()!r}",
                "cgroup v1 cannot take a part out of a rule that is wider",
                "leave that rule out, or name the devices one by one",
            )
        left = "".join(each for each in access if each not in rule.access)
        if left:
            exceptions[other] = left
        else:
            del exceptions[other]


def _covers(wide: Device, narrow: Device) -> bool:
    return wide[0] == narrow[0] and wide[1] in (None, narrow[1]) and wide[2] in (None, narrow[2])


def _meet(one: Device, other: Device) -> bool:
    pairs = zip(one[1:], other[1:], strict=True)
    return one[0] == other[0] and all(a is None or b is None or a == b for a, b in pairs)


def _ordered(access: str) -> str:
    return "".join(each for each in ACCESSES if each in access)


def _number(value: int | None) -> int | None:
    return None if value is None or value < 0 else value
