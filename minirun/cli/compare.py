"""``minirun compare``: what stands between a program and the host, rung by rung.

Layer ``cli``. What is measured, and how, is in ``minirun/compare``; here it is
printed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.cli.settings import Settings
    from minirun.compare.measure import Comparison


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-n", "--runs", type=click.IntRange(1, 100), default=5, help="Starts to time (5).")
@click.option(
    "--rung",
    "rungs",
    multiple=True,
    metavar="RUNG",
    help="Only this one beside the process; may be given several times.",
)
@click.option(
    "--timeout", type=click.FloatRange(1, 3600), default=60.0, help="Seconds that one run may take (60)."
)
@click.option("--json", "as_json", is_flag=True, help="All that was measured, as JSON.")
@click.option(
    "--format", "form", metavar="FORM", help="table, json, or fields such as '{{.rung}} {{.start}}'."
)
@click.option("--chart", is_flag=True, help="Bars, too.")
@click.option("--svg", metavar="FILE", help="Write the bars to this file, as SVG.")
@click.argument("image", default="busybox")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
@click.pass_obj
def command(
    settings: Settings,
    runs: int,
    rungs: tuple[str, ...],
    timeout: float,
    as_json: bool,
    form: str | None,
    chart: bool,
    svg: str | None,
    image: str,
    words: tuple[str, ...],
) -> int:
    """Run one command as process, container, pod and virtual machine; measure.

    Of each rung: the time to the first output, the memory beside the program's
    own, the kernel it is on, what ps shows on the host, and the system calls
    that the host's kernel saw; and what an attacker who had taken the program
    over would see, and be allowed. A rung that does not work here says why. gVisor
    is one where runsc is installed. Ends with 1 if no rung works.

    The command should print something, then stay until its stdin ends (or be
    killed); without one, it is a shell that says "ready" and becomes cat.
    """
    from minirun.cli.several import store_of
    from minirun.compare.measure import WORKLOAD, Wish, compare

    _check_output(form, svg)
    wish = Wish(image=image, command=words or WORKLOAD, runs=runs, timeout=timeout, rungs=rungs)
    try:
        with _signals_end_it():
            comparison = compare(store_of(settings), wish, _tell)
    except _Ended as error:
        return 128 + error.number
    finally:
        _tell("")
    if svg:
        _write_svg(comparison, svg)
    _print(comparison, "json" if as_json else form, chart)
    return int(all(one.missing for one in comparison.rungs))


def _check_output(form: str | None, svg: str | None) -> None:
    """Finds what is wrong with the output before the work is done. Raises UsageError, MinirunError."""
    from minirun.cli import output
    from minirun.compare.report import COLUMNS
    from minirun.errors import MinirunError

    if form and "{{" in form:
        output.field(form, {key: "" for _, key in COLUMNS})
    elif form not in (None, "", "table", "json"):
        output.show([], COLUMNS, form)
    if svg is not None and (
        os.path.isdir(svg) or not os.access(os.path.dirname(os.path.abspath(svg)), os.W_OK)
    ):
        raise MinirunError(
            f"cannot write {svg!r}",
            "it is a directory, or in none that one can write to",
            "give a file to --svg",
        )


class _Ended(BaseException):
    """A signal asks us to end; what was started is ended on the way out."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextlib.contextmanager
def _signals_end_it() -> Iterator[None]:
    def end(number: int, frame: object) -> None:
        raise _Ended(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(word: str) -> None:
    """The progress, on one line that goes away again; to a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{word}", end="", file=sys.stderr, flush=True)


def _write_svg(comparison: Comparison, path: str) -> None:
    from minirun.compare import chart

    with open(path, "w", encoding="utf-8") as file:
        file.write(chart.svg(comparison))


def _print(comparison: Comparison, form: str | None, with_chart: bool) -> None:
    from minirun.cli import output
    from minirun.compare import chart, report, report_reach

    if form == "json":
        output.show_json(report.record(comparison))
        return
    output.show(report.rows(comparison), report.COLUMNS, form)
    if form not in (None, "", "table"):
        return
    print()
    output.show(*report.shared(comparison))
    rows, columns = report_reach.attacker(comparison)
    if rows:
        print()
        output.show(rows, columns)
    width = shutil.get_terminal_size((100, 24)).columns
    if with_chart:
        print()
        for line in chart.text(comparison, min(width, 100)):
            print(line)
    _print_legend(comparison, width)


def _print_legend(comparison: Comparison, width: int) -> None:
    from textwrap import fill

    from minirun.compare import report

    print()
    for sentence in report.answer(comparison):
        print(fill(sentence, width))
    print()
    for word, meaning in report.legend(comparison):
        print(fill(meaning, width, initial_indent=f"{word:<11}", subsequent_indent=" " * 11))
