"""``minirun vm run``: a command in a virtual machine made of an image.

The flags that a container has too are ``run``'s own (``cli/flags.py``): read
alike, and with the same mistakes. Read ``minirun/vm/run.py`` next.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from minirun.cli import flag_values as read
from minirun.cli import quick
from minirun.cli.app import TableCommand
from minirun.cli.flag_values import Kind
from minirun.cli.flags import FILES, MAY, PATH, PROGRAM, STARTED, SWITCH, TIMEOUT
from minirun.cli.table import Flag, Table
from minirun.vm.options import VmOptions

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.vm.run import Telling

_OWN = {
    "--name": "A name for the machine.",
    "--trace": "Print the steps and the boot's milestones to stderr; =json for programs.",
}
_PROGRAM = "--entrypoint --env-file --env --workdir --user --group-add --umask --hostname".split()
_STARTED = "--name --interactive --tty --sig-proxy --trace".split()
_FILES = "--volume --mount --tmpfs".split()


def _taken(flags: tuple[Flag, ...], names: list[str]) -> tuple[Flag, ...]:
    return tuple(
        Flag(" ".join(flag.names), flag.kind, _OWN.get(flag.name, flag.help), flag.field)
        for flag in flags
        if flag.name in names
    )


def _number(low: int, high: int) -> Kind:
    return Kind(read=read.between(low, high), metavar="NUMBER", like=f"a number from {low} to {high}")


WORDS = Kind(read=read.texts, metavar="WORDS", like="words for the kernel's command line")
PORT = Kind(read=read.words, metavar="[ADDRESS:][HOSTPORT:]PORT[/PROTOCOL]", like="8080:80 or 53:53/udp")
ONE_OF_ACCEL = Kind(read=read.one_of("auto", "kvm", "tcg"), metavar="auto|kvm|tcg", like="auto, kvm or tcg")
ONE_OF_NETWORK = Kind(read=read.one_of("none", "user"), metavar="none|user", like="none or user")
SIZE_OF_MEMORY = Kind(read=read.size, metavar="BYTES", like="a size from 96m on, such as 512m or 1.5g")
DISK = Kind(read=read.words, metavar="FILE", like="the path of a raw disk image")

SECTIONS = {
    "How it is started and watched": (
        *_taken(STARTED, _STARTED),
        Flag("--timeout", TIMEOUT, "End the whole machine after so many seconds."),
        Flag("--console", SWITCH, "Show on stderr what the guest's kernel says (boots it cold)."),
    ),
    "The program": (*_taken(PROGRAM, _PROGRAM), *_taken(MAY, ["--ulimit"])),
    "Its files": (
        *_taken(FILES, _FILES),
        Flag("--rootfs", PATH, "A directory in place of an image; the guest's writes do not reach it."),
        Flag("--disk", DISK, "A raw disk image, as /dev/vda, /dev/vdb ..."),
        Flag("--modules", SWITCH, "Show the kernel's modules at /lib/modules."),
    ),
    "The machine": (
        Flag("-m --memory", SIZE_OF_MEMORY, "Its memory; 256m unless told otherwise."),
        Flag("--cpus", _number(1, 64), "Its processors; 1 unless told otherwise.", field="vcpus"),
        Flag(
            "--net --network",
            ONE_OF_NETWORK,
            "user is QEMU's: the host's loopback is 10.0.2.2 in it.",
            field="card",
        ),
        Flag("-p --publish", PORT, "Lead a port of the host into the guest (brings --network user)."),
        Flag("--kernel", PATH, "A release of `vm kernel ls`, or the path of a kernel."),
        Flag("--append", WORDS, "More words for the kernel's command line."),
        Flag("--accel", ONE_OF_ACCEL, "Who runs the guest's instructions; auto tries."),
        Flag("--cold", SWITCH, "Boot, even if there is a template of such a machine."),
    ),
}

TABLE = Table(VmOptions, "image command*", "Run a command in a virtual machine made of an image.", SECTIONS)


class Run(TableCommand):
    """The command, with an image unless ``--rootfs`` stands for one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As ``run`` is read: quickly, and by click for help and mistakes."""
        found = quick.read(self.table, args)
        if found is None or not (found[1] or "--rootfs" in found[0]):
            return super().parse_args(ctx, args)
        ctx.meta[_FOUND] = found
        return []

    def invoke(self, ctx: click.Context) -> Any:
        given, words = ctx.meta.get(_FOUND) or self.given(ctx)
        if "--rootfs" in given:
            words = ["", *words]
        return main(ctx.obj, self.table.value(given, words))


#: Where the context keeps what was read without click.
_FOUND = "minirun.vm.run"


def main(settings: Settings, options: VmOptions) -> int:
    """Runs the machine; the exit code of its program."""
    from minirun.cli.several import store_of
    from minirun.vm.run import run

    return run(store_of(settings), options, _telling(options.trace))


def _telling(form: str) -> Telling:
    """What ``--trace`` prints: ``form`` is "text", "json" or empty."""
    from minirun.vm.run import Telling

    if not form:
        return Telling()
    from minirun.cli.trace import printer

    began = _process_began()

    class Printed(Telling):
        """Steps as of a container, operations, and milestones in milliseconds since this process began."""

        def milestone(self, name: str, uptime: int) -> None:
            since = (time.clock_gettime(time.CLOCK_BOOTTIME) - began) * 1000
            inside = uptime / 1000 if uptime >= 0 else None
            if form == "json":
                _say_json(milestone=name, milliseconds=round(since, 1), guest_milliseconds=inside)
                return
            clock = f"  (guest's clock: {inside:.0f} ms)" if inside is not None else ""
            _say(f"{since:8.0f} ms  {SAID.get(name, name)}{clock}")

        def operation(self, words: tuple[str, ...]) -> None:
            if words[0] == "seed":  # all that keeps apart the random numbers of two guests of one template
                words = ("seed", f"({len(words[1]) // 2} random bytes)")
            shown = [word if word.isprintable() else repr(word) for word in words]
            shown = [word if len(word) < _LONG else word[:_LONG] + "…" for word in shown]
            if form == "json":
                _say_json(operation=words[0], arguments=words[1:])
            else:
                _say(f"    guest:  {' '.join(word or repr(word) for word in shown)}")

    told = Printed()
    told.trace = printer(form)
    return told


_LONG = 80


def _say(line: str) -> None:
    # The terminal may be raw already: then nobody adds the \r.
    print(line, end="\r\n" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def _say_json(**told: object) -> None:
    import json

    _say(json.dumps(told))


#: What a milestone means.
SAID = {
    "emulated": "KVM did not bring it up: once more, emulated",
    "hypervisor": "the hypervisor runs",
    "init": "kernel booted: our first process runs",
    "drivers": "virtio and file system drivers are loaded",
    "card": "the network card has its carrier",
    "ready": "the port to the host is open",
    "template": "a template was made: the next run begins here",
    "restored": "the machine goes on where its template stopped",
    "root": "the root file system is mounted",
    "program": "the program runs",
    "ended": "the program has ended",
}


def _process_began() -> float:
    """When this process was made, in seconds since boot: Python's own start counts too."""
    import os

    from minirun.linux.process import start_time

    return start_time(os.getpid()) / os.sysconf("SC_CLK_TCK")


command = Run("run", TABLE)
