"""``minirun learn``: the tutorial, in a terminal. A file for each of its commands.

What they do is in ``minirun/learn``; here are the words, and what is printed.
"""

from __future__ import annotations

from minirun.cli.group import LazyGroup

#: Name -> (module, short help), in the order in which a learner needs them.
COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("list", "List the chapters, and how far you have come."),
    "start": ("start", "Begin a chapter: its folder is made, its text shown."),
    "predict": ("predict", "Answer the chapter's question, then see what happens."),
    "check": ("check", "Run your program, and look at what the kernel says."),
    "hint": ("hint", "Look at your program, and help a step further."),
    "solution": ("solution", "Show a solution."),
    "next": ("next", "Begin the chapter after this one."),
    "diff": ("diff", "Show how the program grew from one chapter to another."),
    "reset": ("reset", "Take away all that the tutorial made on this machine."),
}


command = LazyGroup(
    "learn", __name__, COMMANDS, "The tutorial: build a runtime, and let the kernel be the judge."
)
