"""``minirun learn diff N M``: how the program grew between two chapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.learn.chapter import Chapter


@click.command()
@click.argument("before", type=click.IntRange(0, 99), metavar="N")
@click.argument("after", type=click.IntRange(0, 99), metavar="M")
@click.pass_obj
def command(settings: Settings, before: int, after: int) -> int:
    """Show how the program grew from chapter N to chapter M, as a unified diff."""
    import difflib

    from minirun.cli.learn import shown
    from minirun.learn import chapter as chapters

    old, new = chapters.find(before), chapters.find(after)
    lines = difflib.unified_diff(
        _script(old), _script(new), f"{old.slug}/{old.script}", f"{new.slug}/{new.script}", lineterm=""
    )
    if text := "\n".join(lines):
        shown.code(text, "diff")
    return 0


def _script(chapter: Chapter) -> list[str]:
    from minirun.errors import UsageError
    from minirun.learn import excerpts

    if not chapter.script:
        raise UsageError(
            f"chapter {chapter.number} has no program",
            "it grows in the others",
            "`minirun learn list` shows all",
        )
    return excerpts.code(chapter.directory / chapter.script).splitlines()
