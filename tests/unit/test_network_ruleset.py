"""The ruleset as nft tells it, also when others change it while it reads."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from minirun.errors import StepFailed
from minirun.network import ruleset
from minirun.network.map import tables

PART = '{"nftables": [{"table": {"family": "inet", "name": "other"}}, \n'
WHOLE = '{"nftables": []}\n'


@pytest.fixture
def nft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a program nft in the place of the real one, which answers so, one answer a time."""

    def put(*answers: str, then: str = "cat $0.last") -> Path:
        for number, answer in enumerate(answers, 1):
            (tmp_path / f"nft.{number}").write_text(answer)
        (tmp_path / "nft.last").write_text(answers[-1] if answers else "")
        program = tmp_path / "nft"
        counted = "echo >> $0.count; n=$(wc -l < $0.count)"
        program.write_text(f"#!/bin/sh\n{counted}\ncat $0.$n 2>/dev/null || {{ {then}; }}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return tmp_path / "nft.count"

    return put


def test_a_part_is_not_taken_for_the_whole(nft: Callable[..., Path]) -> None:
    count = nft(PART, PART, WHOLE)
    assert ruleset.read() == ({"nftables": []}, WHOLE)
    assert count.read_text() == "\n" * 3


def test_nobody_asks_for_ever(nft: Callable[..., Path]) -> None:
    count = nft(PART)
    with pytest.raises(StepFailed, match="does not tell all of the ruleset"):
        ruleset.read()
    assert count.read_text() == "\n" * ruleset.TRIES
    found, problem = tables._firewall()
    assert found == {} and "does not tell all of the ruleset" in problem


def test_a_failure_is_not_asked_again(nft: Callable[..., Path]) -> None:
    count = nft(then="echo 'netlink: no such thing' >&2; exit 1")
    with pytest.raises(subprocess.CalledProcessError):
        ruleset.read()
    assert count.read_text() == "\n"
    assert tables._firewall() == ({}, "NAT and published ports are not known: netlink: no such thing")
