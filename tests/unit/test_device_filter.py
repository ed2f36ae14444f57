"""The eBPF device filter, run by an interpreter of the few instructions it uses.

The reference is the meaning in one line: for each access by itself the last
rule that speaks of it wins, and silence denies.
"""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import InvalidInput, Unsupported
from minirun.isolation.cgroups.device_filter import ACCESSES, TYPES, assembled, text
from minirun.isolation.cgroups.device_rules import BASELINE, Rule, allows_all, simplified, v1_writes
from minirun.spec import DeviceRule


def run(program: bytes, kind: str, major: int, minor: int, access: str) -> bool:
    """What the kernel would answer: interprets the program for one request."""
    asked = sum(ACCESSES[each] for each in access) << 16 | TYPES[kind]
    memory = struct.pack("<III", asked, major, minor)
    registers = [0] * 11
    at = 0
    for _ in range(len(program) // 8 + 1):
        code, pair, offset, number = struct.unpack_from("<BBhi", program, at * 8)
        dst, src = pair & 15, pair >> 4
        at += 1
        match code:
            case 0x61:
                registers[dst] = struct.unpack_from("<I", memory, registers[src] + offset)[0]
            case 0xBF:
                registers[dst] = registers[src]
            case 0xB7:
                registers[dst] = number
            case 0x57:
                registers[dst] &= number & 0xFFFFFFFFFFFFFFFF
            case 0x77:
                registers[dst] >>= number
            case 0x15:
                at += offset if registers[dst] == number else 0
            case 0x55:
                at += offset if registers[dst] != number else 0
            case 0x45:
                at += offset if registers[dst] & number else 0
            case 0x95:
                return bool(registers[0])
            case _:
                pytest.fail(f"instruction {code:#x} is none of ours")
    pytest.fail("the program does not end")


def meaning(rules: list[DeviceRule], kind: str, major: int, minor: int, access: str) -> bool:
    def last(each: str) -> bool:
        for rule in reversed(rules):
            speaks = rule.type in ("a", kind) and rule.major in (None, major) and rule.minor in (None, minor)
            if speaks and each in rule.access:
                return rule.allow
        return False

    return all(last(each) for each in access)


RULES = st.lists(
    st.builds(
        DeviceRule,
        allow=st.booleans(),
        type=st.sampled_from("abc"),
        major=st.sampled_from([None, 1, 5]),
        minor=st.sampled_from([None, 3, 7]),
        access=st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"]),
    ),
    max_size=7,
)
REQUESTS = list(itertools.product("bc", (1, 5, 9), (3, 7, 9), ("r", "w", "m", "rw")))


@given(RULES)
def test_the_program_means_what_the_rules_mean(rules: list[DeviceRule]) -> None:
    program = assembled(simplified(rules))
    for request in REQUESTS:
        assert run(program, *request) == meaning(rules, *request), (request, text(simplified(rules)))


@given(RULES)
def test_allows_all_is_only_said_of_what_allows_all(rules: list[DeviceRule]) -> None:
    if allows_all(simplified(rules)):
        assert all(meaning(rules, *request) for request in REQUESTS)


def kernel_v1(writes: list[tuple[str, str]], kind: str, major: int, minor: int, access: str) -> bool:
    """security/device_cgroup.c: one default, exceptions, and one of them must cover a request."""
    default = True
    exceptions: dict[str, str] = {}
    for file, line in writes:
        allow = file == "devices.allow"
        if line == "a":
            default, exceptions = allow, {}
            continue
        assert allow != default, "a line that the kernel would only use to take exceptions back"
        device, accesses = line.rsplit(" ", 1)
        exceptions[device] = exceptions.get(device, "") + accesses
    for device, accesses in exceptions.items():
        its_kind, numbers = device.split(" ")
        its_major, its_minor = numbers.split(":")
        if its_kind == kind and its_major in ("*", str(major)) and its_minor in ("*", str(minor)):
            if default and set(access) & set(accesses):
                return False
            if not default and set(access) <= set(accesses):
                return True
    return default


@given(RULES)
def test_v1_lines_never_allow_more_and_rarely_less(rules: list[DeviceRule]) -> None:
    try:
        writes = [(c.args[0].split("/")[-1], c.args[1]) for c in v1_writes("/g", simplified(rules))]
    except Unsupported:
        return  # a part out of a wider rule: said so, and nothing is started
    for kind, major, minor, access in REQUESTS:
        allowed = kernel_v1(writes, kind, major, minor, access)
        wanted = meaning(rules, kind, major, minor, access)
        assert not (allowed and not wanted)
        if len(access) == 1:
            assert allowed == wanted


def test_usual_rules_can_all_be_said_in_v1() -> None:
    rules = [DeviceRule(allow=False), DeviceRule(allow=True, type="c", major=10, minor=229), *BASELINE]
    writes = [(c.args[0].split("/")[-1], c.args[1]) for c in v1_writes("/g", simplified(rules))]
    assert writes[0] == ("devices.deny", "a")
    assert ("devices.allow", "c 10:229 rwm") in writes
    assert kernel_v1(writes, "c", 1, 3, "rw") and not kernel_v1(writes, "b", 8, 0, "r")


def test_a_part_of_a_wider_rule_is_refused_in_v1() -> None:
    rules = [
        DeviceRule(allow=True, type="c", major=1),
        DeviceRule(allow=False, type="c", major=1, minor=3, access="w"),
    ]
    with pytest.raises(Unsupported, match="c 1:3 w"):
        v1_writes("/g", simplified(rules))


@pytest.mark.parametrize(
    "rule",
    [DeviceRule(allow=True, type="p"), DeviceRule(allow=True, access="x"), DeviceRule(allow=True, access="")],
)
def test_rules_that_the_kernel_does_not_know(rule: DeviceRule) -> None:
    with pytest.raises(InvalidInput):
        simplified([rule])


def test_what_a_later_rule_hides_is_left_out() -> None:
    rules = simplified([*BASELINE, DeviceRule(allow=False), DeviceRule(allow=True, type="u", major=-1)])
    assert rules == [Rule(allow=False, type="b"), Rule(allow=True, type="c")]


def test_the_program_can_be_read() -> None:
    lines = text(simplified([DeviceRule(allow=True, type="c", major=1, minor=3, access="rw")])).splitlines()
    assert [line.strip() for line in lines[6:]] == [
        "rule0:    if r2 != 0x2 goto deny",
        "if r4 != 0x1 goto deny",
        "if r5 != 0x3 goto deny",
        "r3 &= ~0x6",
        "if r3 == 0x0 goto allow",
        "deny:     r0 = 0",
        "exit",
        "allow:    r0 = 1",
        "exit",
    ]
