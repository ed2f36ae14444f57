"""What an attacker who has taken over the program sees, and may do: asked from inside.

Layer ``compare``. The questions change nothing: whether one may mount is asked
with a file system that no kernel has, for whoever may not is told so first
(EPERM) and whoever may is told that there is none (ENODEV). Read ``report.py`` next.
capabilities(7), seccomp(2), mount(2).
"""

from __future__ import annotations

import re

from minirun.values import Value

#: What divides the answers of the two scripts.
MARK = "-- and an attacker --"

#: A script that any image with a shell can run; what it has no program for stays unknown.
QUESTION = f"""
echo "{MARK}"
echo processes: $(for each in /proc/[0-9]*; do echo; done | grep -c '')
grep -E '^(Uid|CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/self/status
echo users: $(cat /proc/self/uid_map)
echo interfaces: $(grep : /proc/net/dev | cut -d: -f1)
echo mount: $(mount -t of-nobody none / 2>&1)
echo log: $(dmesg >/dev/null 2>&1 && echo read)
"""


class Reach(Value):
    """What is there for an attacker. What was not told is empty, or -1."""

    processes: int = -1
    """How many it can name, its own among them."""
    uid: int = -1
    outside: int = -1
    """Who that is to the kernel it is on: the beginning of its user namespace's map."""
    capabilities: int = -1
    """How many of root's forty-odd parts it has."""
    filtered: bool | None = None
    """Whether a seccomp filter looks at its system calls."""
    interfaces: tuple[str, ...] = ()
    may_mount: bool | None = None
    reads_log: bool | None = None
    """The kernel's log, with its addresses and the other programs' crashes."""


def parse(text: str) -> Reach:
    """The answer to QUESTION; nothing is known where it did not come."""
    _, found, told = text.partition(MARK)
    if not found:
        return Reach()
    said = {key: value.strip() for key, value in re.findall(r"^(\w+):(.*)$", told, re.MULTILINE)}
    mounting = said.get("mount", "")
    return Reach(
        processes=_number(said.get("processes")),
        uid=_number(said.get("Uid", "").partition("\t")[0]),
        outside=_number(" ".join(said.get("users", "").split()[1:2])),
        capabilities=_bits(said.get("CapEff", "")),
        filtered=said["Seccomp"] == "2" if "Seccomp" in said else None,
        interfaces=tuple(sorted(said.get("interfaces", "").split())),
        may_mount=None if not mounting or "not found" in mounting else not _is_refusal(mounting),
        reads_log="read" in said["log"] if "log" in said else None,
    )


def _is_refusal(said: str) -> bool:
    return any(word in said for word in ("denied", "not permitted", "are you root", "must be superuser"))


def _number(word: str | None) -> int:
    return int(word) if word and word.isdigit() else -1


def _bits(word: str) -> int:
    return int(word, 16).bit_count() if re.fullmatch(r"[0-9a-f]+", word) else -1
