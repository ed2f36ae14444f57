"""``minirun vm kernel``: the kernels that guests boot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings

_COLUMNS = [
    ("RELEASE", "release"),
    ("ORIGIN", "origin"),
    ("SIZE", "size"),
    ("DRIVERS", "drivers"),
    ("PATH", "path"),
]


@click.group()
def command() -> None:
    """Fetch, list and remove the kernels that guests boot."""


@command.command()
@click.option("--package", default=None, help="Another kernel package of Debian's than linux-image-amd64.")
@click.option("--deb", default="", metavar="FILE", help="Take it from a package that was downloaded already.")
@click.pass_obj
def fetch(settings: Settings, package: str | None, deb: str) -> int:
    """Fetch Debian's kernel, by apt, and print its release."""
    from minirun.errors import UsageError
    from minirun.vm import kernel_fetch
    from minirun.vm.kernel import kernels
    from minirun.vm.modules import REQUIRED, missing

    if package is not None and deb:
        raise UsageError("--package and --deb exclude each other", "both say what to take", "leave one out")
    before = {kernel.release for kernel in kernels(settings.root) if kernel.origin == "fetched"}
    if sys.stderr.isatty():  # it takes ten seconds, or as long as the network wants
        print(f"unpacking {deb}" if deb else f"fetching {package or kernel_fetch.PACKAGE}", file=sys.stderr)
    kernel = kernel_fetch.fetch(settings.root, package or kernel_fetch.PACKAGE, deb)
    if kernel.release in before:
        print(f"minirun: {kernel.release} is there already", file=sys.stderr)
    if lacking := missing(kernel, REQUIRED):
        print(f"minirun: {kernel.release} cannot be a guest: it lacks {', '.join(lacking)}", file=sys.stderr)
    print(kernel.release)
    return 0


@command.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the releases.")
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.Release}}'.")
@click.pass_obj
def ls(settings: Settings, quiet: bool, form: str | None) -> int:
    """List kernels: those that were fetched, then the host's."""
    from minirun.cli import output
    from minirun.vm.kernel import kernels, size
    from minirun.vm.modules import REQUIRED, missing

    found = kernels(settings.root)
    if quiet:
        for kernel in found:
            print(kernel.release)
        return 0
    rows: list[dict[str, object]] = []
    for kernel in found:
        lacking = missing(kernel, REQUIRED)
        rows.append(
            {
                "release": kernel.release,
                "origin": kernel.origin,
                "size": size(kernel) if form == "json" else output.human_size(size(kernel)),
                "drivers": f"lacks {', '.join(lacking)}" if lacking else "all",
                "path": kernel.image,
            }
        )
    output.show(rows, _COLUMNS, form)
    return 0


@command.command()
@click.argument("releases", nargs=-1, required=True)
@click.pass_obj
def rm(settings: Settings, releases: tuple[str, ...]) -> int:
    """Remove kernels that were fetched."""
    from minirun.errors import MinirunError
    from minirun.vm.kernel import remove

    code = 0
    for release in releases:
        try:
            remove(settings.root, release)
        except MinirunError as error:
            print(f"minirun: {error}", file=sys.stderr)
            code = code or error.exit_code
        else:
            print(release)
    return code
