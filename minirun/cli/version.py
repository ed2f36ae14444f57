"""``minirun version``: of minirun, and of what it stands on."""

from __future__ import annotations

import os
import sys

import click

from minirun import __version__


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print it."
)
def command(form: str) -> None:
    """Show the versions of minirun and of what it stands on."""
    from minirun.cli.output import show_record

    show_record(versions(), form)


def versions() -> dict[str, object]:
    """What ``minirun version`` shows, by name."""
    kernel = os.uname()
    return {
        "minirun": __version__,
        "python": sys.version.split()[0],
        "kernel": kernel.release,
        "architecture": kernel.machine,
        "native": native_programs(),
        "oci_runtime_spec": _spec_version(),
        "click": _distribution("click"),
        "msgspec": _distribution("msgspec"),
        "rich": _distribution("rich"),
    }


def native_programs() -> list[str]:
    """The C programs that this installation has; none where they were not compiled."""
    import minirun.native

    folder = os.path.join(os.path.dirname(minirun.native.__file__), "bin")
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []


def _spec_version() -> str:
    from minirun.spec import Spec

    return str(Spec.__defaults__["ociVersion"])


def _distribution(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""
