"""debian: the smallest Debian 12 with apt in it (minbase), by mmdebstrap.

The packages come from wherever this host's own apt takes Debian from.
"""

from __future__ import annotations

import email.utils
import os
import subprocess
from pathlib import Path

from recipe import PATH, CannotBuild, Inputs, date, output_of, write

BASE = None
COMMAND = ["bash"]
ENVIRONMENT = {"PATH": PATH}

SUITE = "bookworm"


def inputs() -> Inputs:
    """The archive as the host's last ``apt-get update`` saw it, and its date."""
    dates = [_date_of(release) for release in _releases()]
    return Inputs(f"Debian {SUITE}", date(max(dates)))


def fill(rootfs: Path) -> None:
    """A minbase Debian."""
    bootstrap(rootfs)


def bootstrap(rootfs: Path, *packages: str) -> None:
    """A minbase Debian with some packages more, the same tree each time (mmdebstrap(1))."""
    extra = [f"--include={','.join(packages)}"] if packages else []
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory", *extra]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(inputs().date)}
    sources = "\n".join(_sources())
    try:
        done = subprocess.run(
            [*command, SUITE, str(rootfs), "-"], input=sources, env=environment, text=True, check=False
        )
    except FileNotFoundError:
        raise CannotBuild("mmdebstrap is not installed: apt-get install mmdebstrap") from None
    if done.returncode:
        raise CannotBuild("mmdebstrap failed, see above: does `apt-get update` work on this host?")

    # The host's: neither where it takes its packages from nor who it is belongs into an image.
    write(rootfs / "etc/apt/sources.list", "# Put your mirror here, as in sources.list(5).\n")
    for of_the_host in ("etc/hostname", "etc/resolv.conf", "etc/hosts"):
        (rootfs / of_the_host).unlink(missing_ok=True)


def _sources() -> list[str]:
    """The host's sources of Debian itself, one line each, as sources.list(5) has them."""
    return [f"deb {uri} {suite} main" for uri, suite, _ in _targets()]


def _releases() -> list[Path]:
    """The signed tables of contents that the host's apt keeps of those sources."""
    found = []
    for _, suite, packages in _targets():
        beside = packages.split(f"_dists_{suite}_")[0] + f"_dists_{suite}_"
        found += [path for kind in ("InRelease", "Release") if (path := Path(beside + kind)).exists()]
    return found


def _date_of(release: Path) -> int:
    for line in release.read_text().splitlines():
        if line.startswith("Date: "):
            return int(email.utils.parsedate_to_datetime(line.removeprefix("Date: ")).timestamp())
    raise CannotBuild(f"{release} has no date: apt-get update")


def _targets() -> list[list[str]]:
    """URI, suite and index of each source of Debian proper (apt-get(8), indextargets)."""
    listing = output_of(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(FILENAME)",
        "Created-By: Packages", "Origin: Debian", "Component: main",
    )  # fmt: skip
    suites = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
    targets = [target for line in listing.splitlines() if (target := line.split())[1] in suites]
    if not targets:
        raise CannotBuild(
            f"this host's apt knows no Debian {SUITE}: apt-get update, or look at sources.list(5)"
        )
    return sorted(targets)
