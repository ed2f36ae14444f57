"""``$(VAR)``: what is replaced, and what stays as it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.pod.expansion import expand, expand_all

VARIABLES = {"A": "1", "B": "2", "EMPTY": "", "DOLLARS": "$(A) $$", "a.b-c": "dotted", "x(y": "odd"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(A)", "1"),
        ("$(A)$(B)", "12"),
        ("<$(A)-$(B)>", "<1-2>"),
        ("$(EMPTY)", ""),
        ("$(a.b-c)", "dotted"),
        # $$ is a dollar, and hides what follows it.
        ("$$", "$"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("a$$b", "a$b"),
        ("$(B)_$$(A)_$(A)", "2_$(A)_1"),
        # What is no reference stays.
        ("$", "$"),
        ("a$", "a$"),
        ("$A", "$A"),
        ("${A}", "${A}"),
        ("$ (A)", "$ (A)"),
        ("(A)", "(A)"),
        ("100%$", "100%$"),
        # Never closed.
        ("$(", "$("),
        ("$(A", "$(A"),
        ("$(A $(B", "$(A $(B"),
        ("$((((", "$(((("),
        # Not defined; the name goes up to the first bracket that closes.
        ("$(C)", "$(C)"),
        ("$()", "$()"),
        ("$($(A))", "$($(A))"),
        ("$(x(y)", "odd"),
        ("$(A $(B)", "$(A $(B)"),
        ("$(C)$(A)", "$(C)1"),
        # A value is not looked through again.
        ("$(DOLLARS)", "$(A) $$"),
        ("$(A)\n$(B)", "1\n2"),
    ],
)
def test_expand(written: str, meant: str) -> None:
    """A table of the rules, borders and all."""
    assert expand(written, VARIABLES) == meant


def test_what_is_missing_is_told() -> None:
    """For subPathExpr, where a reference to nothing is a mistake."""
    missing: list[str] = []
    assert expand("$(C)/$(A)/$$(D)/$(E", VARIABLES, missing) == "$(C)/1/$(D)/$(E"
    assert missing == ["C"]


def test_a_command_is_expanded_word_by_word() -> None:
    """A value with spaces stays one word."""
    assert expand_all(("echo", "$(S)"), {"S": "a b"}) == ("echo", "a b")


@given(st.text(alphabet="$()AB x", max_size=20))
def test_nothing_is_lost_without_variables(text: str) -> None:
    """Only ``$$`` means something then: with every dollar doubled, any text comes back."""
    assert expand(text.replace("$", "$$"), {}) == text
    if "$$" not in text:
        assert expand(text, {}) == text
