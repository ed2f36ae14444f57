"""The command line: from words to a command, and from errors to exit codes.

The top layer. The commands that start containers are read without click
(``quick.py``), for importing it costs more than a container does; all others,
and all that is unclear, take the long way (``app.py``). Both read the table in
``flags.py``. A command is a file of this package; read ``run.py`` next.
"""

from __future__ import annotations

import gc as garbage  # under its own name it would be hidden by our gc.py
import os
import sys

from minirun.errors import MinirunError
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn


def main() -> NoReturn:
    """The command ``minirun``: runs sys.argv and ends the process."""
    _open_standard_streams()
    _end(run_line(sys.argv[1:]))


def _open_standard_streams() -> None:
    """Whoever started us may have closed 0, 1 or 2: what we open must not take such a place."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


def run_line(argv: Sequence[str]) -> int:
    """Runs one command line; its exit code. What goes wrong is said on stderr."""
    try:
        code = _quickly(argv)
        return _thoroughly(argv) if code is None else code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _hush()
    except Exception as error:
        if _wants_traceback(argv):
            import traceback

            traceback.print_exc()
        return _explain(error)


def _quickly(argv: Sequence[str]) -> int | None:
    """Runs a command that is read from a table; None if it is not so simple."""
    garbage.disable()  # it would look at what we import, some milliseconds long, and free nothing
    from minirun.cli import flags, quick
    from minirun.cli.settings import located

    before = quick.read(flags.GLOBAL, argv)
    if before is None or not before[1]:
        return None
    name, *rest = before[1]
    tables, read = flags.TABLES, quick.read
    if name == "pod" and rest:
        from minirun.cli.pod import flags as of_pods

        tables, read = of_pods.TABLES, of_pods.read
        name, *rest = rest
    table = tables.get(name)
    behind = read(table, rest) if table else None
    if table is None or behind is None or not table.complete(behind[1]):
        return None
    settings = located(flags.GLOBAL.value(before[0], ()))
    options = table.value(*behind)
    place = name if tables is flags.TABLES else f"pod.{name}"
    return int(main_of(place)(settings, options))


def main_of(name: str) -> Callable[..., Any]:
    """``main(settings, options)`` of the command ``name``; of a pod's ``pod.NAME``."""
    module = __import__(f"minirun.cli.{name}", fromlist=["main"])
    function: Callable[..., Any] = module.main
    return function


def _thoroughly(argv: Sequence[str]) -> int:
    from minirun.cli.app import run_app

    return run_app(argv or ["--help"])


def _wants_traceback(argv: Sequence[str]) -> bool:
    from minirun.cli import flags, quick

    before = quick.read(flags.GLOBAL, argv)
    return before is not None and "--debug" in before[0]


def _explain(error: Exception) -> int:
    """Says on stderr what failed, why and what to do; the exit code."""
    if not isinstance(error, MinirunError):
        error = _as_minirun_error(error)
    try:
        print(f"minirun: {error}", file=sys.stderr)
    except (OSError, AttributeError):
        pass  # nobody listens: the exit code has to say it
    return error.exit_code


def _as_minirun_error(error: Exception) -> MinirunError:
    from minirun.errors import hint, reason

    if isinstance(error, OSError):
        return MinirunError("the system refused something", reason(error), hint(error))
    return MinirunError(
        "this is a bug in minirun",
        f"{type(error).__name__}: {error}",
        "report it with what `minirun --debug COMMAND` prints",
    )


def _hush() -> int:
    """Whoever read our output has left, as `head` does: 128 + SIGPIPE, and no word."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    return 141


def _end(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            code = _hush()
        except OSError as error:
            code = _explain(error)
    # A tracer (coverage, a debugger) has things to write when Python ends.
    if sys.gettrace() is not None:
        sys.exit(code)
    os._exit(code)  # taking the interpreter apart would cost 1.6 ms
