"""`exec` by a runtime, with a runtime that is a script."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minirun.container.oci import guest
from minirun.container.state import Home, Record, Store
from minirun.errors import ProgramNotFound
from minirun.spec import Process, Spec

#: As runsc: `exec` writes a pid when the program runs, and ends with its exit code.
RUNS = 'for word; do [ "$last" != --internal-pid-file ] || echo 2 >"$word"; last=$word; done; exit 4'
FAILS = 'echo \'{"level": "error", "msg": "failed to load nosuch: no such file"}\' >"$4"; exit 128'


def called(place: Path, script: str) -> tuple[Home, Record]:
    """A container of a runtime that is ``script``."""
    program = place / "runsc"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    spec = Spec(process=Process(args=("true",)))
    home = Store(root=str(place / "root"), state=str(place / "state")).container("ID")
    os.makedirs(home.runtime)
    return home, Record(id="ID", name="n", spec=spec, runtime=str(program))


def execute(home: Home, record: Record) -> int:
    """The pid of who carries an `exec` of ``true``; there is no stream."""
    with open(os.devnull, "r+b") as null:
        pid, _ = guest.execute(home, record, record.spec.process, (null.fileno(),) * 3)
    return pid


def test_a_program_that_has_ended_before_anybody_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ran, and its exit code is its own, however busy the machine is."""
    look = guest._wait_for

    def late(pid: int, *rest: object) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        look(pid, *rest)

    monkeypatch.setattr(guest, "_wait_for", late)
    home, record = called(tmp_path, RUNS)
    _, status = os.waitpid(execute(home, record), 0)
    assert os.waitstatus_to_exitcode(status) == 4
    assert os.listdir(home.runtime) == []


def test_a_program_that_never_ran(tmp_path: Path) -> None:
    home, record = called(tmp_path, FAILS)
    with pytest.raises(ProgramNotFound, match="nosuch"):
        execute(home, record)
    assert os.listdir(home.runtime) == ["oci.log"]
