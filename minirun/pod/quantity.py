"""Quantities: how Kubernetes writes an amount, and what number is meant.

Layer: pod; pure. ``100m`` is a tenth, ``64Mi`` is 64 * 2**20, ``1e3`` a
thousand, ``2G`` two billions, ``1.5`` one and a half. A quantity is exact: here
it is a fraction of two whole numbers, never a float, until somebody asks for it
in a unit, and then it is rounded up, as Kubernetes does (who asks for anything
gets at least that). Read resources.py next. API reference: "Quantity".
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    #: Numerator and denominator.
    Fraction = tuple[int, int]

#: The suffixes that multiply by a power of ten ...
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
#: ... and those by a power of two.
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}

#: The most that an amount may be; more is taken for this much, as Kubernetes does.
MOST = 2**63 - 1
#: Past these nothing is meant any more, and the number's digits would fill the memory.
_LONGEST, _LARGEST_EXPONENT = 64, 400


def whole(text: str) -> int:
    """The amount in ones, rounded up: bytes of ``64Mi``, ports of ``3``. Raises ValueError."""
    return divided(text, "1")


def milli(text: str) -> int:
    """The amount in thousandths, rounded up: the milli-CPUs of ``1.5``. Raises ValueError."""
    return divided(text, "1m")


def divided(text: str, divisor: str) -> int:
    """How many times ``divisor`` is in ``text``, rounded up (resourceFieldRef). Raises ValueError.

    Nobody can be given less than nothing: a negative amount is an error too.
    """
    above, below = parse(text)
    unit_above, unit_below = parse(divisor)
    if above < 0:
        raise ValueError(f"{text!r} is negative: give 0 or more")
    if unit_above <= 0:
        raise ValueError(f"{divisor!r} divides nothing: give a unit such as 1, 1m, 1Ki or 1Mi")
    return min(-(-above * unit_below // (below * unit_above)), MOST)


def parse(text: str) -> Fraction:
    """The quantity as an exact fraction. Raises ValueError that says what one looks like."""
    unsigned = text[1:] if text.startswith(("+", "-")) else text
    suffix = unsigned.lstrip("0123456789.")
    number, _, decimals = unsigned[: len(unsigned) - len(suffix)].partition(".")
    power_of_ten = _power_of_ten(suffix)
    if not number + decimals or "." in decimals or power_of_ten is None or len(text) > _LONGEST:
        raise ValueError(f"{text!r} is no quantity: write one as 500m, 2, 1.5, 64Mi, 2G or 1e3")
    power_of_ten -= len(decimals)
    above = int(number + decimals) * 10 ** max(power_of_ten, 0) << BINARY.get(suffix, 0)
    return -above if text.startswith("-") else above, 10 ** max(-power_of_ten, 0)


def _power_of_ten(suffix: str) -> int | None:
    """That of ``k`` or of ``e3``; 0 for ``Ki``; None for what is no suffix."""
    if suffix in BINARY:
        return 0
    if suffix in DECIMAL:
        return DECIMAL[suffix]
    digits = suffix[2:] if suffix[1:2] in ("+", "-") else suffix[1:]
    if suffix[0] not in "eE" or not (digits.isascii() and digits.isdigit()):
        return None
    exponent = int(digits[:_LONGEST])
    if exponent > _LARGEST_EXPONENT:
        return None
    return -exponent if suffix[1] == "-" else exponent
