"""``minirun learn next``: the chapter after the one that was started last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("--no-text", is_flag=True, help="Do not show the text.")
@click.pass_obj
def command(settings: Settings, no_text: bool) -> int:
    """Begin the chapter after this one."""
    from minirun.cli.learn.start import begin
    from minirun.learn import chapter as chapters
    from minirun.learn import learner

    now = learner.load().chapter
    for one in chapters.directories():
        if int(one.name[:2]) > now:
            return begin(settings, chapters.read(one), None, force=False, no_text=no_text)
    print("That was the last chapter.")
    return 0
