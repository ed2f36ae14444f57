"""How a command's answer is printed: for people, for pipes, for programs.

On a terminal rows become a table (by rich); into a pipe, columns with spaces
between them, as docker's; ``--format json`` gives one array for programs, and
``--format '{{.ID}} {{.Names}}'`` a line for each row. Sizes and ages read as one
would say them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from minirun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    Row = Mapping[str, object]
    Columns = Sequence[tuple[str, str]]


def show(rows: Sequence[Row], columns: Columns, form: str | None = None) -> None:
    """Prints ``rows``. Each column is its header and the key of a row.

    ``form`` is None or "table", "json" (which shows all keys, not only the
    columns'), or a line with docker's ``{{.Key}}``. Raises UsageError.
    """
    if form == "json":
        show_json(list(rows))
    elif form and "{{" in form:
        for row in rows:
            print(field(form, row))
    elif form not in (None, "", "table"):
        raise _no_form(form)
    elif sys.stdout.isatty():
        show_table(rows, columns)
    else:
        for line in plain_lines(rows, columns):
            print(line)


def show_record(record: Row, form: str | None = None) -> None:
    """Prints one thing: a line for each of its keys, or one JSON object."""
    if form == "json":
        show_json(record)
        return
    width = max(map(len, record), default=0) + 2
    for key, value in record.items():
        print(f"{key.replace('_', ' ') + ':':<{width}}{cell(value)}".rstrip())


def show_json(value: object) -> None:
    """Prints ``value`` as indented JSON."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def show_table(rows: Sequence[Row], columns: Columns) -> None:
    """Prints a table for a terminal; long cells are folded."""
    from rich.console import Console
    from rich.text import Text

    table = new_table([header for header, _ in columns])
    for row in rows:
        table.add_row(*[Text(cell(row.get(key))) for _, key in columns])
    Console(highlight=False).print(table)


def new_table(headers: Sequence[str]) -> Table:
    """An empty rich table as all commands print them."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def plain_lines(rows: Sequence[Row], columns: Columns) -> Iterator[str]:
    """The header and the rows, in columns three spaces apart."""
    lines = [[header for header, _ in columns]]
    lines += [[cell(row.get(key)) for _, key in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "   ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def field(form: str, thing: Row) -> str:
    """``form`` with each ``{{.key}}`` or ``{{.key.key}}`` replaced; whatever their case."""
    if "{{" not in form:
        raise _no_form(form)
    head, *parts = form.replace("\\t", "\t").split("{{")
    for part in parts:
        path, end, tail = part.partition("}}")
        value: object = thing
        for name in path.strip().removeprefix(".").split("."):
            keys = {_plain_key(key): key for key in value} if isinstance(value, dict) else {}
            if not end or _plain_key(name) not in keys:
                raise UsageError(
                    f"--format: there is no field {{{{{path}{end}",
                    "a field is one name in braces; Go's templates are not supported",
                    f"here one can use {' '.join('{{.' + key + '}}' for key in thing)}",
                )
            value = value[keys[_plain_key(name)]]  # type: ignore[index]  # keys is empty unless it is a dict
        head += cell(value) + tail
    return head


def _plain_key(key: str) -> str:
    return key.lower().replace("_", "")


def _no_form(form: str) -> UsageError:
    return UsageError(
        f"--format {form!r} is not understood",
        "it is no form of output that minirun has",
        "use table, json, or fields such as '{{.ID}} {{.Names}}'",
    )


def cell(value: object) -> str:
    """A value as one line of text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))
    return " ".join(str(value).splitlines())


def human_size(number: float) -> str:
    """Bytes as docker shows them: ``13.3kB``, ``1.24MB``; units count by 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 999.5 or unit == "TB":
            return f"{number:.3g}{unit}" if number < 999.5 else f"{number:.0f}{unit}"
        number /= 1000
    raise AssertionError("the last unit takes every number")


def human_memory(number: float) -> str:
    """Bytes of memory, as ``-m 256m`` means them: ``81.5MiB``, ``256MiB``; units count by 1024."""
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while number >= 1023.5 and len(units) > 1:
        number /= 1024
        units.pop()
    return f"{number:.3g}{units[-1]}" if number < 999.5 else f"{number:.0f}{units[-1]}"


def human_duration(seconds: float) -> str:
    """A length of time as one says it: ``3 minutes``."""
    units = (
        ("year", 31557600),
        ("month", 2629800),
        ("week", 604800),
        ("day", 86400),
        ("hour", 3600),
        ("minute", 60),
    )
    for name, length in units:
        count = int(seconds // length)
        # Two of a unit say more than one of the next: 36 hours, not 1 day.
        if count >= (1 if name == "minute" else 2):
            return f"{count} {name}{'s' if count > 1 else ''}"
    count = max(int(seconds), 0)
    return "less than a second" if seconds < 1 else f"{count} second{'s' if count > 1 else ''}"


def human_age(then: float, now: float | None = None) -> str:
    """How long ago a moment (seconds since 1970) was: ``3 minutes ago``."""
    import time

    return f"{human_duration((time.time() if now is None else now) - then)} ago"
