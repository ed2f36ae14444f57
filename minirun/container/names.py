"""Names for containers that were given none: an adjective and a tool.

A name is easier to type than 64 hexadecimal digits. It stands on nothing;
``state.py`` sees to it that no two containers bear the same.
"""

from __future__ import annotations

import os

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ADJECTIVES = (
    "able agile airy amber ample apt azure balmy bold brave bright brisk calm candid clear clever cosy "
    "crisp curious daring deft eager early fair fine fleet fond frank fresh gentle glad golden grand handy "
    "happy hardy honest humble jolly keen kind lively loyal lucid lucky mellow merry mild modest neat nimble "
    "noble patient plain polite prompt proud quick quiet rapid ready robust rosy serene sharp silent sincere "
    "smart snug solid spry steady stout sunny supple swift tidy tender true trusty vivid warm wise witty"
)
TOOLS = (
    "adze anvil auger awl axe bellows bevel bodkin brace broom brush burin caliper chisel clamp compass "
    "crank crowbar dibber dowel drill easel ferrule file flail forge gauge gimlet gouge hammer harrow hinge "
    "hoe jig kiln ladder lathe lever level loom mallet mortar needle nozzle pestle pick pincer plane pliers "
    "plough plumb pulley punch quill rake ramp rasp ratchet reamer rivet rule sander saw scissor screw "
    "scythe shears shovel sickle spade spanner spindle spool square stapler tongs trowel vice wedge wheel"
)


def random_name(taken: Callable[[str], bool] = lambda name: False) -> str:
    """A name such as ``brave_anvil`` for which ``taken`` says no.

    After a few refusals a number is put behind it, so that it always ends.
    """
    adjectives, tools = ADJECTIVES.split(), TOOLS.split()
    for attempt in range(100):
        first, second, more = os.urandom(3)
        name = f"{adjectives[first % len(adjectives)]}_{tools[second % len(tools)]}"
        if attempt > 3:
            name += str(more * attempt)
        if not taken(name):
            return name
    return os.urandom(8).hex()
