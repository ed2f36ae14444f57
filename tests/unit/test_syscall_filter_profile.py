"""The default profile: how strict it is, how small, and that it is one of a kind with its version."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from minirun.isolation import syscall_filter
from minirun.isolation.syscall_filter import profile
from minirun.isolation.syscall_filter.architectures import ARCHITECTURES
from minirun.isolation.syscall_filter.compiler import compile_profile
from minirun.spec import Seccomp, SyscallArg, SyscallRule
from minirun.values import replace
from tests.unit import bpf_simulator

ALLOW = 0x7FFF0000
EPERM = 0x50000 | errno.EPERM
ENOSYS = 0x50000 | errno.ENOSYS
X86_64 = ARCHITECTURES["SCMP_ARCH_X86_64"]
PODMANS = Path("/usr/share/containers/seccomp.json")

#: What docker gives a container that asks for nothing.
DOCKERS = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"),
    *("CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"),
    "CAP_AUDIT_WRITE",
)
EVERYTHING = (*DOCKERS, *profile.CAPABILITY)


def answers(said: Seccomp, name: str, *args: int) -> int:
    program = bpf_simulator.decoded(compile_profile(said, "x86_64"))
    return bpf_simulator.run(program, bpf_simulator.words(X86_64.table()[name], X86_64.audit, args))[0]


@pytest.mark.parametrize("held", [(), DOCKERS, EVERYTHING], ids=["none", "docker", "all"])
def test_the_native_part_has_at_most_130_instructions(held: tuple[str, ...]) -> None:
    native = replace(profile.default(held, "x86_64"), architectures=("SCMP_ARCH_X86_64",))
    assert len(compile_profile(native, "x86_64")) // 8 <= 130
    assert len(compile_profile(profile.default(held, "x86_64"), "x86_64")) // 8 <= 260


def test_a_call_costs_few_instructions() -> None:
    program = bpf_simulator.decoded(compile_profile(profile.default(DOCKERS, "x86_64"), "x86_64"))
    steps = [
        bpf_simulator.run(program, bpf_simulator.words(number, X86_64.audit))[1] for number in range(500)
    ]
    assert max(steps) <= 18


#: Nothing of this is any container's business without the capability that goes with it.
NEVER_FOR_DOCKERS = """
    mount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick unshare setns
    pivot_root sethostname setdomainname quotactl quotactl_fd fanotify_init bpf perf_event_open syslog
    keyctl add_key request_key kexec_load kexec_file_load init_module finit_module delete_module
    io_uring_setup io_uring_enter io_uring_register userfaultfd vmsplice open_by_handle_at reboot swapon
    swapoff iopl ioperm acct settimeofday clock_settime vhangup nfsservctl lookup_dcookie uselib ustat
    sysfs _sysctl kcmp pidfd_getfd process_madvise mbind set_mempolicy get_mempolicy move_pages
    migrate_pages lsm_set_self_attr"""


@pytest.mark.parametrize("name", NEVER_FOR_DOCKERS.split())
def test_docker_denies_it_and_so_do_we(name: str) -> None:
    assert answers(profile.default(DOCKERS, "x86_64"), name) == EPERM


@pytest.mark.parametrize(("capability", "names"), profile.CAPABILITY.items(), ids=profile.CAPABILITY)
def test_a_capability_brings_its_calls(capability: str, names: str) -> None:
    table = X86_64.table()
    for name in names.split():
        if name in table:
            assert answers(profile.default((capability,), "x86_64"), name) == ALLOW, name


def test_namespaces_only_with_cap_sys_admin() -> None:
    without, having = profile.default(DOCKERS, "x86_64"), profile.default(("CAP_SYS_ADMIN",), "x86_64")
    for new in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answers(without, "clone", 17 | new) == EPERM
        assert answers(having, "clone", 17 | new) == ALLOW
    assert answers(without, "clone", 0x3D0F00) == ALLOW  # what pthread_create asks for
    assert answers(without, "clone3") == ENOSYS
    assert answers(having, "clone3") == ALLOW


def test_sockets_of_the_usual_families_only() -> None:
    said = profile.default(EVERYTHING, "x86_64")
    allowed = {family for family in range(64) if answers(said, "socket", family) == ALLOW}
    assert allowed == {1, 2, 10, 16, 17}
    # The kernel reads the lower half only: an upper half must not smuggle AF_ALG through.
    assert answers(said, "socket", 1 << 32 | 38) == EPERM


def test_no_personality_that_weakens() -> None:
    said = profile.default(EVERYTHING, "x86_64")
    assert [answers(said, "personality", persona) for persona in (0, 8, 0xFFFFFFFF)] == [ALLOW] * 3
    assert [answers(said, "personality", persona) for persona in (0x40000, 0x400000)] == [EPERM] * 2


def test_calls_newer_than_the_profile_get_enosys() -> None:
    said = profile.default(DOCKERS, "x86_64")
    assert [answers(said, name) for name in ("file_getattr", "listns", "rseq_slice_yield")] == [ENOSYS] * 3


def test_every_name_is_a_call_of_some_architecture() -> None:
    known = {name for architecture in ARCHITECTURES.values() for name in architecture.table()}
    everywhere = " ".join((*profile.GROUPS.values(), *profile.MACHINE.values(), *profile.CAPABILITY.values()))
    # fstatat64 and newfstatat, epoll_*_old, waitpid ...: each exists somewhere.
    assert set(everywhere.split()) - known == set()


def test_no_call_is_in_two_groups() -> None:
    names = " ".join(profile.GROUPS.values()).split()
    assert len(set(names)) == len(names)
    assert not set(names) & set(" ".join(profile.CAPABILITY.values()).split())


def test_the_name_in_the_cache_follows_all_that_the_profile_depends_on() -> None:
    assert set(syscall_filter.CONDITIONS) == set(profile.CAPABILITY)


#: VERSION -> what the default profile compiles to. A filter is cached under VERSION: whoever changes the
#: profile, the compiler or a table raises VERSION and writes the new digest here.
DIGESTS = {1: "afa541d6e9e19e09"}


def test_a_changed_filter_needs_a_new_version() -> None:
    programs = [
        compile_profile(profile.default(held, machine), machine)
        for machine in ("x86_64", "aarch64")
        for held in ((), DOCKERS, *((capability,) for capability in profile.CAPABILITY))
    ]
    digest = hashlib.sha256(b"".join(programs)).hexdigest()[:16]
    assert {syscall_filter.VERSION: digest} == DIGESTS


# -- against the profile of podman and others (containers-common), where it is installed ------------

#: What ours allows and that file does not, and why.
KNOWN_DIFFERENCES = {
    "io_pgetevents": "io_getevents with a signal mask; docker's allows it",
    "io_pgetevents_time64": "as io_pgetevents",
    "quotactl_fd": "with CAP_SYS_ADMIN, as quotactl, which theirs allows then",
    "uretprobe": "Linux 6.11, newer than the file; the kernel kills who calls it by hand",
    "socket": "theirs denies NETLINK_AUDIT without CAP_AUDIT_WRITE, which the kernel asks for itself",
}
#: The newest call in the file: process_mrelease.
THEIR_HIGHEST = 448


@pytest.mark.skipif(not PODMANS.exists(), reason=f"this machine lacks: {PODMANS}")
@pytest.mark.parametrize("held", [(), DOCKERS, EVERYTHING], ids=["none", "docker", "all"])
def test_nothing_is_allowed_that_podman_denies(held: tuple[str, ...]) -> None:
    ours = bpf_simulator.decoded(compile_profile(profile.default(held, "x86_64"), "x86_64"))
    theirs = bpf_simulator.decoded(compile_profile(podmans(held), "x86_64"))
    looser = set()
    for architecture in (X86_64, ARCHITECTURES["SCMP_ARCH_X86"]):
        for name, number in architecture.table().items():
            for args in ((0, 0, 0), (16, 0, 9), (2, 1, 0), (0x10000000, 0, 0), (0xFFFFFFFF, 0, 0)):
                data = bpf_simulator.words(number, architecture.audit, args)
                if bpf_simulator.run(ours, data)[0] == ALLOW != bpf_simulator.run(theirs, data)[0]:
                    looser.add(name)
    newer = {name for name in looser if X86_64.table().get(name, 0) > THEIR_HIGHEST}
    assert looser - newer <= KNOWN_DIFFERENCES.keys()


def podmans(held: tuple[str, ...]) -> Seccomp:
    """The file as podman resolves it for these capabilities on x86_64."""
    content = json.loads(PODMANS.read_text())
    rules = [
        SyscallRule(
            names=tuple(block["names"]),
            action=block["action"],
            errnoRet=block.get("errnoRet"),
            args=tuple(
                SyscallArg(index=arg["index"], value=arg["value"], valueTwo=arg["valueTwo"], op=arg["op"])
                for arg in block.get("args") or ()
            ),
        )
        for block in content["syscalls"]
        if applies(block, held)
    ]
    return Seccomp(
        defaultAction=content["defaultAction"],
        defaultErrnoRet=content["defaultErrnoRet"],
        architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
        syscalls=tuple(rules),
    )


def applies(block: dict[str, Any], held: tuple[str, ...]) -> bool:
    includes, excludes = block.get("includes") or {}, block.get("excludes") or {}
    if set(includes.get("caps", ())) - set(held) or set(excludes.get("caps", ())) & set(held):
        return False
    return "amd64" in includes.get("arches", ["amd64"]) and "amd64" not in excludes.get("arches", [])
