"""Names of containers: checked, taken, given back, and invented where none was given.

Layer ``container``. A name is easier to type than 64 hexadecimal digits. It is
a link to the id (``links.py``), so no two containers ever bear the same.
"""

from __future__ import annotations

import os

from minirun.container import links
from minirun.errors import Conflict, InvalidInput
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.container.state import Store

_TRIES = 8


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


def reserve_name(store: Store, name: str, id: str) -> None:
    """Takes ``name`` for ``id``, atomically. Raises Conflict when it is taken.

    Who takes one has its directories already, and who goes gives the name back
    before the last of them: a name behind which there are none is nobody's.
    """
    check_name(name)
    os.makedirs(f"{store.root}/names", exist_ok=True)
    for _ in range(_TRIES):
        if links.take(f"{store.root}/names", name, id):
            return
        holder = store.id_of_name(name) or ""
        if is_held(store, holder):
            break
        release_name(store, name, holder)  # a crashed creator's
    raise Conflict(
        f"the name '{name}' is in use",
        f"by container {holder[:12]}",
        f"choose another --name, or remove that one: minirun rm {name}",
    )


def is_held(store: Store, id: str) -> bool:
    """Whether any directory of the container ``id`` is left."""
    home = store.container(id)
    return bool(id) and (os.path.isdir(home.runtime) or os.path.isdir(home.data))


def release_name(store: Store, name: str, id: str) -> None:
    """Gives the name back if ``id`` still has it."""
    links.give_back(f"{store.root}/names", name, id)


def release_names(store: Store, id: str) -> None:
    """Gives back whatever name ``id`` has."""
    links.give_back_all(f"{store.root}/names", id)


def check_name(name: str) -> None:
    """Raises InvalidInput unless ``name`` is one that docker would take."""
    plain_name = name.replace("_", "").replace(".", "").replace("-", "")
    if len(name) < 2 or not name.isascii() or not plain_name.isalnum() or not name[0].isalnum():
        raise InvalidInput(
            f"'{name}' cannot be a container's name",
            "a name is a letter or digit, then letters, digits, '_', '.' or '-'; two at least",
            "choose another --name",
        )
