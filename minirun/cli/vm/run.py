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
from minirun.cli.app import TableCommand
from minirun.cli.flag_values import Kind
from minirun.cli.flags import FILES, MEMORY, PATH, PROGRAM, STARTED, SWITCH, TIMEOUT
from minirun.cli.table import Flag, Table
from minirun.vm.options import VmOptions

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.vm.wire import Milestone

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
DISK = Kind(read=read.words, metavar="FILE", like="the path of a raw disk image")

SECTIONS = {
    "How it is started and watched": (
        *_taken(STARTED, _STARTED),
        Flag("--timeout", TIMEOUT, "End the whole machine after so many seconds."),
        Flag("--console", SWITCH, "Show on stderr what the guest's kernel says (boots it cold)."),
    ),
    "The program": _taken(PROGRAM, _PROGRAM),
    "Its files": (
        *_taken(FILES, _FILES),
        Flag("--rootfs", PATH, "A directory in place of an image; the guest's writes do not reach it."),
        Flag("--disk", DISK, "A raw disk image, as /dev/vda, /dev/vdb ..."),
        Flag("--modules", SWITCH, "Show the kernel's modules at /lib/modules."),
    ),
    "The machine": (
        Flag("-m --memory", MEMORY, "Its memory; 256m unless told otherwise."),
        Flag("--cpus", _number(1, 64), "Its processors; 1 unless told otherwise.", field="vcpus"),
        Flag(
            "--net --network",
            ONE_OF_NETWORK,
            "user is QEMU's: the host's loopback is 10.0.2.2 in it.",
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

    def invoke(self, ctx: click.Context) -> Any:
        given, words = self.given(ctx)
        if "--rootfs" in given:
            words = ["", *words]
        return main(ctx.obj, self.table.value(given, words))


def main(settings: Settings, options: VmOptions) -> int:
    """Runs the machine; the exit code of its program."""
    from minirun.cli.several import store_of
    from minirun.vm.run import run

    trace = None
    if options.trace:
        from minirun.cli.trace import printer

        trace = printer(options.trace)
    return run(store_of(settings), options, milestones(options.trace), trace)


def milestones(form: str) -> Milestone:
    """What prints a milestone, in milliseconds since this command began.

    ``form`` is "text", "json" or empty.
    """
    if not form:
        return lambda name, uptime: None
    began = _process_began()

    def show(name: str, uptime: int) -> None:
        since = (time.clock_gettime(time.CLOCK_BOOTTIME) - began) * 1000
        if form == "json":
            import json

            told = {"milestone": name, "milliseconds": round(since, 1), "guest_uptime_ms": None}
            if uptime >= 0:
                told["guest_uptime_ms"] = uptime / 1000
            print(json.dumps(told), file=sys.stderr, flush=True)
            return
        inside = f"  (guest's clock: {uptime / 1000:.0f} ms)" if uptime >= 0 else ""
        print(f"{since:8.0f} ms  {SAID.get(name, name)}{inside}", file=sys.stderr, flush=True)

    return show


#: What a milestone means.
SAID = {
    "hypervisor": "the hypervisor runs",
    "init": "kernel booted: our first process runs",
    "drivers": "virtio and file system drivers are loaded",
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
