"""The small hypervisor without KVM: its words, its guest's bytes, its devices, the recorded run."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from minirun.cli import app, run_line
from minirun.cli.vm import anatomy as told
from minirun.errors import InvalidInput
from minirun.values import replace
from minirun.vm import anatomy, anatomy_recorded
from minirun.vm.anatomy_recorded import Exit, recorded, why_not
from tests.needs import needs

on_x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="this machine lacks: x86_64")

#: Our word -> the header's, as an expression in C.
WORDS = {
    **{name: name for name in vars(anatomy) if name.startswith("KVM_")},
    **{f"Reason.{reason.name}": f"KVM_EXIT_{reason.name}" for reason in anatomy.Reason},
    "MEMORY_REGION.size": "sizeof(struct kvm_userspace_memory_region)",
    "REGS.size": "sizeof(struct kvm_regs)",
    "REGISTERS.index('rip') * 8": "offsetof(struct kvm_regs, rip)",
    "REGISTERS.index('rsi') * 8": "offsetof(struct kvm_regs, rsi)",
    "REGISTERS.index('rdx') * 8": "offsetof(struct kvm_regs, rdx)",
    "SREGS_SIZE": "sizeof(struct kvm_sregs)",
    "0": "offsetof(struct kvm_sregs, cs.base)",
    "8": "offsetof(struct kvm_sregs, cs.limit)",
    "CS.size - 2": "offsetof(struct kvm_sregs, cs.selector)",
    "EXIT_REASON": "offsetof(struct kvm_run, exit_reason)",
    "DETAILS": "offsetof(struct kvm_run, io.direction)",
    "DETAILS + 1": "offsetof(struct kvm_run, io.size)",
    "DETAILS + 2": "offsetof(struct kvm_run, io.port)",
    "DETAILS + 4": "offsetof(struct kvm_run, io.count)",
    "DETAILS + IO.size - 8": "offsetof(struct kvm_run, io.data_offset)",
    "DETAILS + 0": "offsetof(struct kvm_run, mmio.phys_addr)",
    "MMIO_DATA": "offsetof(struct kvm_run, mmio.data)",
    "DETAILS + 16": "offsetof(struct kvm_run, mmio.len)",
    "DETAILS + MMIO.size - 1": "offsetof(struct kvm_run, mmio.is_write)",
    "OUT": "KVM_EXIT_IO_OUT",
    "12": "KVM_API_VERSION",
}


@on_x86_64
@needs("gcc")
def test_every_number_is_the_headers(tmp_path: Path) -> None:
    prints = "\n".join(f'printf("%lu\\n", (unsigned long) ({word}));' for word in WORDS.values())
    source = f"#include <stddef.h>\n#include <stdio.h>\n#include <linux/kvm.h>\nint main(void) {{ {prints} }}"
    program = tmp_path / "words"
    subprocess.run(["gcc", "-x", "c", "-", "-o", program], input=source, text=True, check=True)
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert "KVM_RUN" in WORDS
    headers = dict(zip(WORDS, map(int, printed.split()), strict=True))
    assert {word: int(eval(word, vars(anatomy))) for word in WORDS} == headers


@needs("objdump")
def test_the_assembly_is_what_the_bytes_say(tmp_path: Path) -> None:
    *instructions, text = anatomy.PROGRAM
    file = tmp_path / "guest"
    file.write_bytes(bytes.fromhex("".join(code for code, *_ in instructions)))
    objdump = "objdump -D -b binary -m i8086 -M intel --adjust-vma=0x1000".split()
    listing = subprocess.run([*objdump, file], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^ +([0-9a-f]+):\t([0-9a-f ]+?) *\t(.*)$", listing, re.MULTILINE)
    assert [(code, plain(words)) for _, code, words in found] == [
        (code, plain(words)) for code, words, *_ in instructions
    ]
    assert [int(address, 16) for address, *_ in found] == [row["address"] for row in told.program()][:-1]
    assert bytes.fromhex(text[0]) == b"Hi\n"


def plain(assembly: str) -> str:
    """An instruction without what assemblers write in different ways: ``BYTE PTR ds:``, spaces, bases."""
    text = assembly.lower().replace("al,byte ptr ds:[si]", "b").replace("lods ", "lods")
    text = re.sub(r"\b(byte|word|ptr)\b|ds:|\[|\]| ", "", text)
    return re.sub(r"\b(0x[0-9a-f]+|\d+)\b", lambda number: str(int(number[0], 0)), text)


def test_the_listing_points_at_itself() -> None:
    """Addresses inside the instructions, and the number of those that run before the first exit."""
    where = {row["assembly"]: row["address"] for row in told.program()}
    assert where["db 'Hi', 10"] == 0x102D
    assert len(anatomy.CODE) < anatomy.GO - anatomy.MEMORY
    setting, *loop = [row for row in told.program() if row["address"] in (0x1002, 0x1005, 0x1007)]
    times = int(setting["assembly"].split()[-1])
    before = [row for row in told.program() if row["address"] < where["in al, dx"]]
    assert len(before) - len(loop) + times * len(loop) == 203
    assert sum(range(times + 1)) == 5050


def kvm_run(**words: Any) -> bytearray:
    """A struct kvm_run with the details of an exit, and room for the data behind."""
    memory = bytearray(4200)
    getattr(anatomy, words["kind"]).pack_into(memory, anatomy.DETAILS, *words["fields"])
    memory[4096:4099] = words.get("data", b"\0\0\0")
    return memory


@pytest.mark.parametrize(
    ("direction", "port", "count", "answer", "says"),
    [
        (1, 0x3F8, 3, b"abc", "sends 'abc'"),
        (1, 0x3F8, 1, b"a", "sends 'a'"),
        (1, 0x80, 1, b"a", "has nothing there"),
        (0, 0x3FD, 1, b"\x20", "ready"),
        (0, 0x60, 2, b"\xff\xff", "has nothing there"),
    ],
)
def test_ports(direction: int, port: int, count: int, answer: bytes, says: str) -> None:
    memory = kvm_run(kind="IO", fields=(direction, 1, port, count, 4096), data=b"abc")
    access, address, data, host = anatomy.port(memory)
    assert (access, address, data) == ("out" if direction else "in", port, answer)
    assert says in host
    assert memory[4096 : 4096 + count] == answer, "what the guest will find"


@pytest.mark.parametrize(("is_write", "size"), [(0, 1), (0, 8), (1, 4)])
def test_where_no_memory_is(is_write: int, size: int) -> None:
    memory = kvm_run(kind="MMIO", fields=(0x2000, b"\1\2\3\4\5\6\7\x08", size, is_write))
    access, address, data, _ = anatomy.no_memory(memory)
    assert (access, address) == ("write" if is_write else "read", 0x2000)
    assert data == (b"\1\2\3\4" if is_write else b"\xff" * size)
    left = memory[anatomy.MMIO_DATA : anatomy.MMIO_DATA + 8]
    assert left == (b"\1\2\3\4\5\6\7\x08" if is_write else b"\xff" * size + b"\1\2\3\4\5\6\7\x08"[size:])


def test_the_recorded_run_is_of_this_program() -> None:
    raw = json.loads(Path(anatomy_recorded._FILE).read_text())
    assert raw["recorded"] is True
    assert raw["program"] == told.program()
    assert told.as_record(recorded("")) == raw, "it reads back as it was written"


def test_a_recorded_run_says_so_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run_app(["vm", "anatomy", "--recorded"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("RECORDED, not live")
    assert "recorded" in lines[1]
    assert max(map(len, lines)) <= 110
    assert app.run_app(["vm", "anatomy", "--recorded", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["recorded"], record["why"], record["halted"]) == (True, "asked for", True)


def test_the_story_has_every_exit_and_every_instruction_once() -> None:
    run = recorded("")
    lines = [line for line, _ in told.story(run)]
    exits = [line for line in lines if "KVM_EXIT_" in line]
    assert [int(line.split()[0]) for line in exits] == [one.number for one in run.exits]
    assert all(one.host in line for one, line in zip(run.exits, exits, strict=True))
    assert [line.split()[1] for line in lines if line.startswith("guest")] == [
        f"{row['address']:x}" for row in told.program()
    ]


@pytest.mark.parametrize("reason", [anatomy.Reason.SHUTDOWN, anatomy.Reason.INTERNAL_ERROR, 24])
def test_a_guest_that_did_not_halt(reason: int) -> None:
    _, _, _, host = anatomy.emulate(reason, b"", memoryview(b""))
    name = anatomy.NAMES.get(reason, str(reason))
    last = Exit(number=2, reason=name, access="", address=None, data="", rip=0x100D, host=host)
    run = replace(recorded(""), exits=(recorded("").exits[0], last))
    text = "\n".join(line for line, _ in told.story(run))
    assert f"KVM_EXIT_{name} " in text
    assert host in text
    assert "did not halt" in text
    assert "equivalence" not in text, "what was not seen is not claimed"
    assert "hlt" not in text, "what was not reached is not listed"
    assert not run.halted


@on_x86_64
@pytest.mark.parametrize(
    ("device", "why"), [("/dev/no-such-kvm", "there is no /dev/no-such-kvm"), ("/dev/null", "not KVM's")]
)
def test_without_kvm_the_recorded_run_is_shown(
    device: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.listdir("/proc/self/fd")
    assert app.run_app(["vm", "anatomy", "--device", device]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("RECORDED")
    assert why in first
    assert app.run_app(["vm", "anatomy", "--json", "--device", device]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["recorded"] is True
    assert why in record["why"]
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("number", "opened", "says"),
    [
        (errno.EACCES, False, "may not be opened (crw"),
        (errno.EPERM, False, "may not be opened (crw"),
        (errno.ENODEV, False, "no driver"),
        (errno.EBUSY, True, "another hypervisor"),
        (errno.EPERM, True, "KVM refuses: EPERM"),
        (errno.EMFILE, False, "EMFILE"),
    ],
)
def test_why_kvm_cannot_be_used(number: int, opened: bool, says: str) -> None:
    error = OSError(number, "") if opened else OSError(number, "", "/dev/null")
    assert says in why_not("/dev/null", error)


def test_who_may_open_kvm_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(0o660)
    owner, group = device.owner(), device.group()
    error = PermissionError(errno.EACCES, "", str(device))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert f"(-rw-rw---- {owner}:{group}): as root, `usermod -aG {group} USER`" in why_not(str(device), error)
    device.chmod(0o600)
    assert why_not(str(device), error).endswith(f"only {owner} may")
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert "cgroup for devices" in why_not(str(device), error)
    device.unlink()
    assert why_not(str(device), error) == f"{device} may not be opened"


def test_on_another_machine_it_is_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arm = os.uname_result(("Linux", "arm", "6.1", "#1", "aarch64"))
    monkeypatch.setattr(os, "uname", lambda: arm)
    assert told.live("/dev/kvm").why == "the guest's instructions are x86's, and this machine is aarch64"


def test_what_contradicts_itself_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_line(["vm", "anatomy", "--recorded", "--device", "/dev/kvm"]) == 125
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "{", '{"driver": 1}'])
def test_a_damaged_recording(content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "recorded.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(anatomy_recorded, "_FILE", str(file))
    with pytest.raises(InvalidInput):
        recorded("")
