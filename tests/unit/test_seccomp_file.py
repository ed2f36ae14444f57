"""A seccomp profile from a file, in the OCI form and in docker's."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from minirun.container import seccomp_file
from minirun.errors import InvalidInput
from minirun.spec import Seccomp, SyscallArg, SyscallRule

ALLOW, DENY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def read(profile: Any, *capabilities: str) -> Seccomp:
    return seccomp_file.read(json.dumps(profile).encode(), "profile.json", capabilities)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An x86_64 with Linux 5.10."""
    name = os.uname_result(("Linux", "host", "5.10.0-1-amd64", "#1", "x86_64"))
    monkeypatch.setattr(os, "uname", lambda: name)


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {"names": [name], "action": ALLOW, **more}


def test_the_oci_form() -> None:
    args = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]
    rules = [{"names": ["a"], "action": DENY, "errnoRet": 2, "args": args}]
    assert read({"defaultAction": ALLOW, "architectures": ["SCMP_ARCH_X86"], "syscalls": rules}) == Seccomp(
        defaultAction=ALLOW,
        architectures=("SCMP_ARCH_X86",),
        syscalls=(
            SyscallRule(
                names=("a",), action=DENY, errnoRet=2, args=(SyscallArg(index=0, value=1, op="SCMP_CMP_EQ"),)
            ),
        ),
    )


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"includes": {"arches": ["arm64", "amd64"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"caps": ["CAP_CHOWN"]}}, True),
        ({"includes": {"caps": ["CAP_CHOWN", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_CHOWN", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, True),
        ({"includes": {"minKernel": "5.10"}}, True),
        ({"includes": {"minKernel": "5.11"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"includes": {}, "excludes": None, "args": None, "errnoRet": None}, True),
    ],
)
def test_a_rule_holds_where_it_is_meant_to(condition: dict[str, Any], kept: bool) -> None:
    """A rule for CAP_SYS_ADMIN that was taken for everybody would open the filter."""
    found = read({"defaultAction": DENY, "syscalls": [rule("mount", **condition), rule("read")]}, "CAP_CHOWN")
    assert [each.names for each in found.syscalls] == ([("mount",)] if kept else []) + [("read",)]


def test_what_else_docker_writes() -> None:
    found = read(
        {
            "defaultAction": DENY,
            "defaultErrnoRet": 38,
            "archMap": [
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
                {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
            ],
            "syscalls": [{"name": "old", "action": DENY, "errno": "ENOSYS"}],
        }
    )
    assert found.architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")
    assert found.syscalls == (SyscallRule(names=("old",), action=DENY, errnoRet=38),)


@pytest.mark.parametrize(
    "profile",
    [
        {"defaultAction": DENY, "syscalls": [rule("a", includes={"moon": ["full"]})]},
        {"defaultAction": DENY, "syscalls": [rule("a", includes={"minKernel": "new"})]},
        {"defaultAction": DENY, "syscalls": [{"names": ["a"], "action": DENY, "errno": "EWHAT"}]},
        {"defaultAction": DENY, "syscalls": ["a"]},
        {"defaultAction": DENY, "syscalls": {}},
        {"syscalls": []},
        [],
        "text",
    ],
)
def test_what_is_not_valid_is_refused(profile: Any) -> None:
    with pytest.raises(InvalidInput, match=r"profile\.json"):
        read(profile)


def test_text_that_is_not_json() -> None:
    with pytest.raises(InvalidInput, match="JSON"):
        seccomp_file.read(b"{,", "profile.json", ())
