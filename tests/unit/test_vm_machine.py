"""QEMU's command line: what a guest has, and what it must not have."""

from __future__ import annotations

from typing import Any

import pytest

from minirun.errors import UsageError
from minirun.vm import machine, options
from minirun.vm.machine import Machine, Wires
from minirun.vm.options import VmOptions

WIRES = Wires(control=3, console=4)


def arguments(wires: Wires = WIRES, **fields: Any) -> list[str]:
    """The command line of such a machine."""
    usual = {"kernel": "/k/vmlinux", "initramfs": "/i/initramfs", "memory": 256 << 20}
    return list(machine.arguments(Machine(**{**usual, **fields}), wires))


def values(words: list[str], flag: str) -> list[str]:
    """What follows each ``flag``."""
    return [words[number + 1] for number, word in enumerate(words) if word == flag]


def test_the_processor_and_its_memory() -> None:
    words = arguments(cpus=3, accel="kvm")
    assert words[0] == "qemu-system-x86_64"
    assert values(words, "-smp") == ["3"] and values(words, "-m") == ["262144K"]
    assert values(words, "-accel") == ["kvm"] and values(words, "-cpu") == ["host"]
    assert values(arguments(), "-accel") == ["tcg"]


def test_nothing_that_was_not_listed() -> None:
    """No default devices, no configuration of the user's, no display; QEMU may start nothing."""
    words = arguments()
    assert {"-nodefaults", "-no-user-config", "-no-reboot"} <= set(words)
    assert (
        "spawn=deny" in values(words, "-sandbox")[0]
        and "elevateprivileges=deny" in values(words, "-sandbox")[0]
    )


def test_the_images_files_cannot_be_written_to() -> None:
    root, volumes = values(arguments(), "-fsdev")
    assert root.startswith("local,id=root,") and root.endswith(",readonly=on")
    assert volumes.startswith("local,id=volumes,") and "readonly" not in volumes


def test_a_card_only_where_a_network_was_asked_for() -> None:
    assert "-netdev" not in arguments()
    (card,) = values(arguments(Wires(control=3, console=4, publish=("hostfwd=x",)), network=True), "-netdev")
    assert card.startswith("user,") and card.endswith(",hostfwd=x")


def test_a_comma_in_a_path_is_no_end_of_it() -> None:
    """As QEMU has it: doubled."""
    words = arguments(Wires(control=3, console=4, memory="/a,b/memory"), disks=("/c,d", "/e"))
    assert "mem-path=/a,,b/memory," in values(words, "-object")[0]
    assert [",file=/c,,d," in drive for drive in values(words, "-drive")] == [True, False]
    assert [device for device in values(words, "-device") if device.startswith("virtio-blk")] == [
        "virtio-blk-pci,drive=disk0",
        "virtio-blk-pci,drive=disk1",
    ]


def test_a_template_keeps_what_a_run_only_reads() -> None:
    making = arguments(Wires(control=3, console=4, memory="memory", keeps_memory=True))
    restored = arguments(Wires(control=3, console=4, monitor=5, memory="/t/memory", restores=True))
    assert values(making, "-object")[0].endswith("share=on") and "-incoming" not in making
    assert values(restored, "-object")[0].endswith("share=off") and values(restored, "-incoming") == ["defer"]
    assert "socket,id=monitor,fd=5" in values(restored, "-chardev")


def test_what_differs_from_run_to_run_changes_no_device() -> None:
    """Else a template could not be restored into it."""
    one = arguments(Wires(name="a", control=3, console=4, publish=("hostfwd=x",)), network=True)
    other = arguments(Wires(name="b", control=7, console=8), network=True)
    assert values(one, "-device") == values(other, "-device")


def test_words_for_the_kernel() -> None:
    (line,) = values(arguments(append="a=b c"), "-append")
    assert line.endswith(" quiet a=b c") and "cgroup_no_v1=all" in line
    assert "quiet" not in values(arguments(chatty=True), "-append")[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"publish": ("80",), "card": "none"}, "contradict"),
        ({"memory": 32 << 20}, "32m is too little"),
        ({"rootfs": "/"}, "no command to run"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        options.check(VmOptions(**given))


def test_publishing_brings_a_network() -> None:
    assert VmOptions(publish=("80",)).has_network and VmOptions(card="user").has_network
    assert not VmOptions().has_network
