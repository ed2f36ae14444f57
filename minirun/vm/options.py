"""What a user asks of a virtual machine: the flags of ``vm run``, as one frozen value.

Layer ``vm``. The program, its files and its streams are asked for in the words
of a container (``container/options.py``); what is added is the machine. Read
``machine.py`` next.
"""

from __future__ import annotations

from minirun.container.options import Options
from minirun.errors import UsageError

#: What a machine has unless told otherwise: bytes, and processors.
MEMORY, CPUS = 256 << 20, 1
#: Less than this a distribution's kernel does not boot in, with its drivers.
LEAST_MEMORY = 96 << 20


class VmOptions(Options):
    """``run``'s options that a machine can keep, and its own.

    ``memory`` is the machine's, in bytes, ``vcpus`` a whole number; ``timeout``
    is seconds, 0 or less for none; ``disk`` holds paths of raw images; ``append`` more
    words for the kernel's command line.
    """

    rootfs: str = ""
    card: str = ""
    """--network: user, none, or empty for what --publish needs."""
    vcpus: int = CPUS
    kernel: str = ""
    accel: str = "auto"
    timeout: float = 0.0
    cold: bool = False
    console: bool = False
    modules: bool = False
    disk: tuple[str, ...] = ()
    append: tuple[str, ...] = ()

    @property
    def has_network(self) -> bool:
        """Whether there is a network card: asked for, or because a port is published."""
        return self.card == "user" or bool(self.publish)


def check(options: VmOptions) -> None:
    """Refuses what contradicts itself. Raises UsageError."""
    if options.publish and options.card == "none":
        raise UsageError(
            "--publish and --network none contradict each other",
            "without a network card there is nothing to reach a port by",
            "leave one out",
        )
    if options.rootfs and not (options.command or options.entrypoint):
        raise UsageError(
            "there is no command to run",
            "--rootfs gives a directory, and only an image could name a command",
            f"minirun vm run --rootfs {options.rootfs} COMMAND",
        )
    if options.memory is not None and options.memory < LEAST_MEMORY:
        raise UsageError(
            f"--memory {options.memory >> 20}m is too little for a machine",
            f"its kernel, drivers and first process need {LEAST_MEMORY >> 20}m before any program runs",
            f"give at least {LEAST_MEMORY >> 20}m; {MEMORY >> 20}m is the default",
        )
