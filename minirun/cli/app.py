"""The whole command line, by click: help, mistakes, and every command.

``COMMANDS`` lists what there is without importing it. The commands that
``flags.py`` has a table for get their click options from the table; each other
command is a file of this package that defines ``command``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minirun.cli import main_of
from minirun.cli.flags import GLOBAL, TABLES
from minirun.cli.settings import located
from minirun.cli.table import Flag, Table
from minirun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Name -> (module, short help), in the order of a container's life.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", TABLES["run"].help),
    "create": ("create", TABLES["create"].help),
    "start": ("start", TABLES["start"].help),
    "exec": ("exec", TABLES["exec"].help),
    "attach": ("attach", TABLES["attach"].help),
    "ps": ("ps", "List containers."),
    "logs": ("logs", "Show what a container wrote."),
    "inspect": ("inspect", "Show everything about a container or an image."),
    "wait": ("wait", "Wait for containers to end; print their exit codes."),
    "pause": ("pause", "Freeze all processes of containers."),
    "unpause": ("unpause", "Thaw them."),
    "stop": ("stop", "Ask containers to end, then insist."),
    "kill": ("kill", "Send containers a signal."),
    "rm": ("rm", "Remove containers."),
    "gc": ("gc", "Sweep up what a crash left behind."),
    "images": ("images", "List images."),
    "import": ("import_", "Make an image of a tar of a root filesystem."),
    "load": ("load", "Take in images from an archive."),
    "save": ("save", "Write images to an archive."),
    "tag": ("tag", "Give an image one more name."),
    "rmi": ("rmi", "Remove images."),
    "port": ("port", "Show where on the host a container's ports are."),
    "volume": ("volume", "List and remove volumes."),
    "pod": ("pod", "Pods: containers that share namespaces, by Kubernetes' rules."),
    "network": ("network", "Networks: bridges that containers are plugged into."),
    "vm": ("vm", "Virtual machines: the same images, with a kernel of their own."),
    "compare": ("compare", "Run one command as process, container, pod and virtual machine; measure."),
    "learn": ("learn", "The tutorial: build a runtime, and let the kernel be the judge."),
    "explain": ("explain", TABLES["explain"].help),
    "doctor": ("doctor", "Check what this host can do, and say how to fix the rest."),
    "version": ("version", "Show the versions of minirun and of what it stands on."),
}


def run_app(argv: Sequence[str]) -> int:
    """Runs ``argv`` through click; the exit code. Raises UsageError for its mistakes."""
    try:
        result = app.main(args=list(argv), prog_name="minirun", standalone_mode=False)
    except click.exceptions.Abort as error:
        raise KeyboardInterrupt from error
    except SystemExit as error:  # click's way with a reader that has left
        raise BrokenPipeError from error
    except click.ClickException as error:
        raise _usage_error(error, argv) from error
    return result if isinstance(result, int) else 0


def _usage_error(error: click.ClickException, argv: Sequence[str]) -> UsageError:
    context = getattr(error, "ctx", None) or _context(argv)
    path = context.command_path
    place = path.removeprefix("minirun").strip()
    usage = context.command.get_usage(context).removeprefix("Usage: ")
    remedy = f"`{path} --help`"
    possibilities = getattr(error, "possibilities", None)
    if possibilities:
        remedy = f"{' or '.join(sorted(possibilities))}; {remedy} lists all"
    why = f"it is used like this: {' '.join(usage.split())}"
    what = error.message if getattr(error, "option_name", None) else error.format_message()
    what = _lower(what.rstrip("."))
    return UsageError(f"{place}: {what}" if place else what, why, remedy)


def _context(argv: Sequence[str]) -> click.Context:
    """Which command was meant, where click's parser does not tell."""
    context = click.Context(app, info_name="minirun")
    for word in argv:
        group = context.command
        command = group.get_command(context, word) if isinstance(group, click.Group) else None
        if command:
            context = click.Context(command, info_name=word, parent=context)
    return context


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


class Commands(click.Group):
    """The group ``minirun``, which imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in TABLES:
            return TableCommand(cmd_name, TABLES[cmd_name])
        if cmd_name not in COMMANDS:
            return None
        module = __import__(f"minirun.cli.{COMMANDS[cmd_name][0]}", fromlist=["command"])
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but a misspelt command gets the nearest ones as an answer."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=2)
            nearest = f"{' or '.join(near)}; " if near else ""
            raise UsageError(
                f"there is no command {args[0]!r}",
                "minirun's commands bear docker's names, where docker has the command",
                f"{nearest}`minirun --help` lists all",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from COMMANDS: click would import every one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


class TableCommand(click.Command):
    """A command whose options are a Table; it calls ``main(settings, options)``."""

    def __init__(self, name: str, table: Table) -> None:
        self.table = table
        options = [_option(table, flag) for flag in table.flags]
        words = [_argument(word) for word in table.words]
        # For run and exec, what follows the image belongs to the program.
        several = len(words) > 1
        super().__init__(
            name,
            params=[*options, *words],
            help=table.help,
            context_settings={"allow_interspersed_args": not several},
        )

    def given(self, ctx: click.Context) -> tuple[dict[str, list[str]], list[str]]:
        """What click found, in the form of quick.read."""
        given: dict[str, list[str]] = {}
        for flag in self.table.flags:
            found = ctx.params[_parameter(flag)]
            if flag.kind.switch:
                found = "true" if found else None
            if found not in (None, ()):
                given[flag.name] = list(found) if isinstance(found, tuple) else [found]
        words: list[str] = []
        for word in self.table.words:
            found = ctx.params[word.rstrip("*+")]
            words += found if isinstance(found, tuple) else [found]
        return given, words

    def invoke(self, ctx: click.Context) -> Any:
        return main_of(str(self.name))(ctx.obj, self.table.value(*self.given(ctx)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under the headings of the table."""
        shown = {param.name: param.get_help_record(ctx) for param in self.get_params(ctx)}
        for heading, flags in self.table.sections.items():
            records = [record for flag in flags if (record := shown.get(_parameter(flag)))]
            with formatter.section(heading):
                formatter.write_dl(records)


def _parameter(flag: Flag) -> str:
    return "flag_" + flag.name[2:].replace("-", "_")  # "time" the flag, "command" the word


def _option(table: Table, flag: Flag) -> click.Option:
    switch = flag.kind.switch
    return click.Option(
        [*flag.names, _parameter(flag)],
        is_flag=switch or None,  # False would let the value be left out
        multiple=not switch and table.gathers(flag),
        type=None if switch else str,
        metavar=flag.kind.metavar if flag.kind.metavar else None,
        help=flag.help,
    )


def _argument(word: str) -> click.Argument:
    if word[-1] in "*+":
        return click.Argument([word[:-1]], nargs=-1, required=word[-1] == "+", type=str)
    return click.Argument([word], type=str)


@click.pass_context
def _remember(ctx: click.Context, /, version: bool, **found: Any) -> None:
    given = {f"--{name.removeprefix('flag_')}": found[name] for name in found}
    texts = {
        name: ["true" if value is True else value]
        for name, value in given.items()
        if value not in (None, False)
    }
    ctx.obj = located(GLOBAL.value(texts, ()))


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from minirun import __version__

        click.echo(f"minirun {__version__}")
        ctx.exit(0)


app = Commands(
    "minirun",
    params=[
        *(_option(GLOBAL, flag) for flag in GLOBAL.flags),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=True,
            callback=_show_version,
            help="Show the version.",
        ),
    ],
    callback=_remember,
    help="Containers, as a list of system calls.",
)
