"""A seccomp profile out of a file: the OCI form, or docker's, which is a template for it.

Part of ``specify_privileges.py``. In docker's form (and podman's) a rule may
hold for some architectures, capabilities or kernels only (``includes``,
``excludes``), and ``archMap`` stands for ``architectures``. Taken for the OCI
form it would mean something else: every rule at once, so both come out here as
the same ``Seccomp``. See config-linux.md, "Seccomp".
"""

from __future__ import annotations

import json
import os

from minirun.errors import InvalidInput
from minirun.spec import Seccomp
from minirun.values import TYPE_CHECKING, convert

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

#: uname(2)'s word for the machine -> docker's (which is Go's), and libseccomp's.
_MACHINES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
    "loongarch64": ("loong64", "SCMP_ARCH_LOONGARCH64"),
}
_CONDITIONS = frozenset(["arches", "caps", "minKernel"])


def read(raw: bytes, what: str, capabilities: Collection[str]) -> Seccomp:
    """The profile in the JSON text ``raw``; ``what`` names it in errors.

    ``capabilities`` are the container's. Raises InvalidInput.
    """
    try:
        given = json.loads(raw)
    except ValueError as error:
        raise InvalidInput(f"{what} is not JSON", str(error), "check it with `jq .`") from error
    if isinstance(given, dict) and isinstance(given.get("syscalls"), list):
        given = _filled_in(given, what, capabilities)
    return convert(given, Seccomp, what)


def _filled_in(given: dict[str, Any], what: str, capabilities: Collection[str]) -> dict[str, Any]:
    rules = [each for each in given["syscalls"] if isinstance(each, dict)]
    if len(rules) != len(given["syscalls"]):
        raise InvalidInput(f"{what} is not valid", "a rule of its syscalls is not an object")
    kept = [_rule(each, what) for each in rules if _holds(each, what, capabilities)]
    found = {**given, "syscalls": kept}
    for tree in given.get("archMap") or ():
        if tree.get("architecture") == _MACHINES.get(os.uname().machine, ("", ""))[1]:
            found["architectures"] = [tree["architecture"], *(tree.get("subArchitectures") or ())]
    return found


def _rule(each: dict[str, Any], what: str) -> dict[str, Any]:
    """One rule in the OCI form: a list of names, no null, an errno as a number."""
    rule = {key: value for key, value in each.items() if value is not None}
    if "name" in rule:  # docker's first form
        rule.setdefault("names", [rule.pop("name")])
    if "errno" in rule and "errnoRet" not in rule and rule.get("action") == "SCMP_ACT_ERRNO":
        rule["errnoRet"] = _number(str(rule["errno"]), what)
    return rule


def _number(name: str, what: str) -> int:
    import errno

    number = getattr(errno, name, None)
    if not isinstance(number, int):
        raise InvalidInput(f"{what} is not valid", f"there is no errno {name!r}", "see errno(3)")
    return number


def _holds(each: dict[str, Any], what: str, capabilities: Collection[str]) -> bool:
    """Whether a rule is meant for this machine, this kernel and these capabilities."""
    wanted, unwanted = each.get("includes") or {}, each.get("excludes") or {}
    for unknown in {*wanted, *unwanted} - _CONDITIONS:
        raise InvalidInput(f"{what} is not valid", f"a rule depends on {unknown!r}, which is unknown")
    machine = _MACHINES.get(os.uname().machine, ("", ""))[0]
    if wanted.get("arches") and machine not in wanted["arches"]:
        return False
    if not set(wanted.get("caps") or ()) <= set(capabilities):
        return False
    if wanted.get("minKernel") and _kernel() < _version(wanted["minKernel"], what):
        return False
    return not (
        machine in (unwanted.get("arches") or ())
        or set(unwanted.get("caps") or ()) & set(capabilities)
        or (unwanted.get("minKernel") and _kernel() >= _version(unwanted["minKernel"], what))
    )


def _kernel() -> tuple[int, ...]:
    return _version(".".join(os.uname().release.split("-")[0].split(".")[:2]), "")


def _version(text: str, what: str) -> tuple[int, ...]:
    parts = text.split(".")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise InvalidInput(f"{what} is not valid", f"minKernel {text!r} is no version", "such as 4.8")
    return tuple(map(int, parts))
