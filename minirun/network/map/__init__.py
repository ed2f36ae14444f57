"""Who is wired to whom: the kernel's network namespaces, and the cables between them.

Layer ``network``. Nothing of minirun's own records is asked: what is drawn is
what the kernel has, also where somebody else made it. In reading order:

    model.py      the nouns: Map, Namespace, Link, Wire, Published ...
    find.py       every namespace that a process or a mount keeps alive
    tables.py     what each one holds: links, addresses, routes, firewall (pyroute2)
    build.py      pure: from these tables to a Map; both ends of each veth pair
    firewall.py   pure: the ruleset of nftables -> NAT and published ports
    iptables.py   pure: the same for rules that iptables wrote
    tree.py       a tree of lines
    text.py       the Map as such a tree
    graph.py      the Map as boxes and arrows: mermaid.py and dot.py spell them

See network_namespaces(7), veth(4), rtnetlink(7).
"""

from __future__ import annotations

from minirun.network.map.build import build
from minirun.network.map.find import find
from minirun.network.map.model import Map, Names
from minirun.network.map.tables import read

__all__ = ["Map", "Names", "read_map"]


def read_map(names: Names | None = None) -> Map:
    """The map as the kernel has it now, seen from the caller's network namespace.

    ``names`` are words for what the kernel has only numbers for. Without root
    it is what one may see, and ``missing`` says what that leaves out.
    """
    found = find()
    return build(found, read(found), names or Names())
