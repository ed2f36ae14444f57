"""``minirun vm inspect``: a machine as the host sees it, and as its guest does.

JSON for programs; ``--format table`` puts the two beside each other: what ps
shows on the host (one process, and none of the guest's), what it shows in there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.cli.settings import Settings

    Thing = dict[str, Any]


@click.command()
@click.option(
    "-f", "--format", "form", default="json", help="json, table, or one field such as '{{.host.pid}}'."
)
@click.argument("machines", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, form: str, machines: tuple[str, ...]) -> int:
    """Show everything about virtual machines that run.

    From outside: the hypervisor, its threads with their CPU time, its memory.
    From inside: the kernel and the processes, of which the host knows nothing.
    """
    from minirun.cli import output
    from minirun.vm.home import find
    from minirun.vm.inspect import inspect

    found = [inspect(*find(settings.state, wanted)) for wanted in machines]
    if form == "json":
        output.show_json(found)
    elif form == "table":
        print("\n\n".join("\n".join(story(thing)) for thing in found))
    else:
        for thing in found:
            print(output.field(form, thing))
    return 0


def story(thing: Thing) -> Iterator[str]:
    """One machine for a reader: the hypervisor, its threads, the two views of ps."""
    from minirun.cli.output import human_memory, plain_lines

    host, machine = thing["host"], thing["machine"]
    yield f"{thing['name']} ({thing['id'][:12]}): {thing['image']}, {' '.join(thing['command'])}"
    if not host["pid"]:
        yield "it has ended"
        return
    used = {name: human_memory(size) for name, size in host["memory"].items()}
    yield ""
    yield f"On the host it is process {host['pid']}, which has:"
    yield f"  memory    {used['rss']} resident, of {human_memory(machine['memory'])} that the guest may have"
    if "guest_shared" in used:
        yield f"            the guest wrote {used['guest_private']}, its template {used['guest_shared']}"
    rows = [{**one, "cpu": f"{one['cpu_seconds']:.2f} s"} for one in host["threads"]]
    columns = [("THREAD", "tid"), ("NAME", "name"), ("CPU TIME", "cpu"), ("", "purpose")]
    for line in plain_lines(rows, columns):
        yield f"  {line}"
    yield ""
    yield from _beside(thing)


def _beside(thing: Thing) -> Iterator[str]:
    """The processes that the host knows, and those that the guest does, in two columns."""
    import os

    inside = thing["guest"]["processes"]
    programs = [one for one in inside if one["command"]]
    left = [f"{one['pid']:>7} {one['name']}" for one in thing["host"]["processes"]]
    right = [f"{one['pid']:>7} {one['command']}" for one in programs]
    if threads := len(inside) - len(programs):
        right.append(f"        and {threads} threads of its kernel")
    if "problem" in thing["guest"]:
        right.append(f"        {thing['guest']['problem']}")
    heads = f"host, Linux {os.uname().release}", f"guest, Linux {thing['guest']['kernel']}"
    left, right = [heads[0], "    PID PROGRAM", *left], [heads[1], "    PID PROGRAM", *right]
    width = max(map(len, left))
    for number in range(max(len(left), len(right))):
        a = left[number] if number < len(left) else ""
        b = right[number] if number < len(right) else ""
        yield f"{a:<{width}}  |  {b}".rstrip()
