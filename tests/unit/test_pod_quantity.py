"""Quantities: what Kubernetes' API reference calls one, as whole numbers, rounded up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.pod.quantity import BINARY, DECIMAL, MOST, divided, milli, parse, whole


@pytest.mark.parametrize(
    ("text", "milli_cpus"),
    [
        ("100m", 100),
        ("1", 1000),
        ("1.5", 1500),
        ("0.1", 100),
        (".5", 500),
        ("2.", 2000),
        ("+1", 1000),
        ("0", 0),
        ("1e3", 1_000_000),
        ("1E-1", 100),
        ("1u", 1),  # less than a thousandth is a whole one
        ("1n", 1),
        ("100001u", 101),
    ],
)
def test_cpus(text: str, milli_cpus: int) -> None:
    assert milli(text) == milli_cpus


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64Mi", 64 * 2**20),
        ("1Ki", 1024),
        ("1k", 1000),
        ("500k", 500_000),
        ("2G", 2_000_000_000),
        ("1.5Gi", 3 * 2**29),
        ("0.3Ki", 308),  # 307.2
        ("1E", 10**18),  # exa, and no exponent
        ("1e1", 10),
        ("1500m", 2),
        ("128974848", 128974848),
        ("9Ei", MOST),
        ("1e30", MOST),
    ],
)
def test_bytes(text: str, size: int) -> None:
    assert whole(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1 Mi", "1e999", "9" * 100),
        *". - + -- 1mi 1KI 1kB MI 1..2 1.2.3 1e 1ee3 e3 --1 +-1 0x10 ² 1e² 1,5 inf nan 1_000".split(),
    ],
)
def test_what_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity: write one as 500m"):
        milli(text)


def test_less_than_nothing_is_asked_for_by_nobody() -> None:
    with pytest.raises(ValueError, match="'-1' is negative"):
        whole("-1")
    assert parse("-1.5") == (-15, 10)


@pytest.mark.parametrize(
    ("text", "divisor", "times"),
    [("250m", "1", 1), ("250m", "1m", 250), ("64Mi", "1Mi", 64), ("65Mi", "64Mi", 2), ("1Gi", "1M", 1074)],
)
def test_a_field_reference_divides_and_rounds_up(text: str, divisor: str, times: int) -> None:
    """resourceFieldRef.divisor."""
    assert divided(text, divisor) == times


@pytest.mark.parametrize("divisor", ["0", "-1"])
def test_a_divisor_that_divides_nothing(divisor: str) -> None:
    with pytest.raises(ValueError, match="divides nothing"):
        divided("1", divisor)


@given(
    digits=st.integers(0, 10**12),
    point=st.integers(0, 12),
    suffix=st.sampled_from([*DECIMAL, *BINARY, "e5", "E-5", "e+2"]),
)
def test_it_is_exact(digits: int, point: int, suffix: str) -> None:
    """Against the standard library's fractions, which cost an import too many for the product."""
    text = str(digits).rjust(point + 1, "0")
    text = f"{text[: len(text) - point]}.{text[len(text) - point :]}"
    if suffix in BINARY:
        factor = Fraction(2 ** BINARY[suffix])
    else:
        factor = Fraction(10) ** DECIMAL.get(suffix, int(suffix[1:]) if suffix[1:] else 0)
    expected = Fraction(digits, 10**point) * factor
    above, below = parse(text + suffix)
    assert Fraction(above, below) == expected
    assert whole(text + suffix) == min(-(-expected.numerator // expected.denominator), MOST)
