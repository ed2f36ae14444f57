"""AppArmor as a plan: which profile, where in the list, and what is refused. It bites in tests/bed."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from minirun.container.execute import exec_plan
from minirun.container.plan import plan
from minirun.errors import NotFound, StepFailed, Unsupported
from minirun.isolation import apparmor
from minirun.isolation.apparmor import DEFAULT, profile
from minirun.isolation.cgroups.layout import Layout
from minirun.linux import apparmor as files
from minirun.linux.namespace import CloneFlag
from minirun.spec import Linux, Process, Spec
from minirun.steps import HOST, Step


def spec(name: str) -> Spec:
    return Spec(process=Process(args=("true",), apparmorProfile=name), linux=Linux(cgroupsPath="/minirun/x"))


@pytest.fixture
def enabled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host with AppArmor that knows two profiles; the file with the list of them."""
    loaded = tmp_path / "profiles"
    loaded.write_text("mine (enforce)\nan other (complain)\n")
    monkeypatch.setattr(files, "enabled", lambda: True)
    monkeypatch.setattr(files, "_PROFILES", str(loaded))
    monkeypatch.setattr(files, "current", lambda: "unconfined")
    return loaded


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program in the place of apparmor_parser, that loads nothing and says so."""
    program = tmp_path / "apparmor_parser"
    program.write_text("#!/bin/sh\nread -r line\necho $# $line\necho no room >&2\nexit 3\n")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setattr(files, "_PARSERS", (str(program),))
    return program


def calls(steps: list[Step]) -> list[str]:
    return [str(call) for step in steps for call in step.calls]


def test_a_changed_text_gets_a_new_name() -> None:
    """A loaded profile is not compared with the text again: raise the number in DEFAULT and this."""
    assert f"profile {DEFAULT} " in profile.TEXT
    known = {"minirun-default-1": "61afbb29add4bf56"}
    assert hashlib.sha256(profile.TEXT.encode()).hexdigest()[:16] == known[DEFAULT]


def test_without_apparmor_nothing_is_asked_for_and_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "enabled", lambda: False)
    assert apparmor.default_profile() == ""
    for name in ("", "unconfined"):
        assert list(apparmor.host_steps(spec(name))) == list(apparmor.init_steps(spec(name))) == []
    for part in (apparmor.host_steps, apparmor.init_steps):
        with pytest.raises(Unsupported, match="'docker-default'"):
            list(part(spec("docker-default")))
    with pytest.raises(Unsupported, match="not enabled"):
        apparmor.check(spec("docker-default"))


def test_the_default_is_given_only_where_it_can_be_loaded(
    enabled: Path, parser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert apparmor.default_profile() == DEFAULT
    monkeypatch.setattr(files, "current", lambda: "docker-default")
    assert "confined by docker-default" in (apparmor.lacking() or "")[0]
    parser.chmod(0o600)
    assert apparmor.lacking() == (
        "apparmor_parser, which loads profiles, is not there",
        "apt-get install apparmor",
    )
    enabled.unlink()
    assert "securityfs" in (apparmor.lacking() or "")[1]
    assert apparmor.default_profile() == ""


def test_a_named_profile_is_asked_for_early_and_from_the_hosts_proc(enabled: Path) -> None:
    asked = 'write("/proc/self/attr/apparmor/exec", "exec mine")'
    start = calls(plan(spec("mine"), Layout(), "/filters"))
    assert start.index(asked) < min(number for number, call in enumerate(start) if "READY" in call)
    guest = calls(exec_plan(spec("mine"), Layout(), "/filters", CloneFlag.NEWNS))
    assert guest.index(asked) < next(number for number, call in enumerate(guest) if call.startswith("setns"))
    assert list(apparmor.host_steps(spec("mine"))) == []


def test_our_own_is_loaded_by_the_host_side_before_anything_is_made(enabled: Path) -> None:
    (load,) = apparmor.host_steps(spec(DEFAULT))
    assert load.side == HOST
    assert plan(spec(DEFAULT), Layout(), "/filters")[1] == load
    assert calls([load])[0].startswith('posix_spawn("/usr/sbin/apparmor_parser"')


def test_a_profile_that_is_not_loaded_is_refused_by_name(enabled: Path) -> None:
    for name in ("mine", "an other", "unconfined", "mine//&unconfined", ":elsewhere:x", DEFAULT):
        apparmor.check(spec(name))
    for name in ("none", "mine//&none"):
        with pytest.raises(NotFound, match="'none' is not loaded") as caught:
            apparmor.check(spec(name))
        assert "the kernel knows an other, mine" in caught.value.why
    enabled.write_text("".join(f"p{number} (enforce)\n" for number in range(8)))
    with pytest.raises(NotFound, match="p4 and 3 more"):
        apparmor.check(spec("none"))
    enabled.write_text("")
    with pytest.raises(NotFound, match="no profile at all"):
        apparmor.check(spec("none"))
    enabled.unlink()
    apparmor.check(spec("none"))  # the kernel will say it


def test_a_profile_that_cannot_be_loaded_is_an_error_in_the_parsers_words(
    enabled: Path, parser: Path
) -> None:
    with pytest.raises(StepFailed) as caught:
        files.load("new", "profile new {}\n")
    assert "cannot load the AppArmor profile new" in caught.value.what
    assert caught.value.why == "apparmor_parser: 2 profile new {} no room"
    assert "apparmor=unconfined" in caught.value.remedy
    assert files.load("mine", "") is False  # there already: the program is not run
    parser.unlink()
    with pytest.raises(StepFailed, match="No such file or directory"):
        files.load("new", "x")
