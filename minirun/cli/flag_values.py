"""What may stand after a flag: sizes, durations, signals, names=values ...

Pure functions from a word to a value, in docker's notation; a ``ValueError``
says in its message why the word will not do. A ``Kind`` joins such a function
to what help and errors show of it. Imported by every start, so neither ``re``
nor ``json`` here. Read ``table.py`` next, which uses them.
"""

from __future__ import annotations

import os

from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Kind(Value):
    """A sort of value: how it is read, and how it is shown.

    ``metavar`` stands in ``--help``, ``like`` ends an error ("use ...").
    A ``switch`` takes a value only behind ``=``; alone it means "true".
    """

    read: Callable[[str], Any]
    metavar: str
    like: str
    switch: bool = False


def word(text: str) -> str:
    """Any text that is not empty."""
    if not text:
        raise ValueError("it is empty")
    return text


def text(text: str) -> str:
    """Any text; an empty one counts."""
    return text


def words(text: str) -> tuple[str, ...]:
    """One of several words, for a flag that can be given again and again."""
    return (word(text),)


def texts(text: str) -> tuple[str, ...]:
    """One of several texts, which may be empty."""
    return (text,)


def boolean(text: str) -> bool:
    """docker's switches: ``--rm``, ``--rm=true``, ``--rm=false``."""
    answers = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
    if text.lower() not in answers:
        raise ValueError("a switch is true or false")
    return answers[text.lower()]


def integer(text: str) -> int:
    """A whole number, with a sign or without."""
    digits = text[1:] if text[:1] in "+-" else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("it is not a whole number")
    return int(text)


def between(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from ``low`` to ``high``."""

    def bounded(text: str) -> int:
        number = integer(text)
        if not low <= number <= high:
            raise ValueError(f"it is not between {low} and {high}")
        return number

    return bounded


_UNITS = {"": 0, "b": 0}
for _power, _letter in enumerate("kmgtp", 1):
    _UNITS |= {_letter: 10 * _power, f"{_letter}b": 10 * _power, f"{_letter}ib": 10 * _power}


def size(text: str) -> int:
    """Bytes: ``64m``, ``1.5g``, ``512KiB``, ``4096``. The units count by 1024."""
    lower = text.strip().lower()
    number = lower.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = lower[len(number) :].strip()
    if unit not in _UNITS:
        raise ValueError(f"{unit!r} is no unit")
    return int(_decimal(number) * (1 << _UNITS[unit]))


def memory_limit(text: str) -> int:
    """A size that a program can start in: docker's minimum is 6 MiB."""
    number = size(text)
    if number < 6 << 20:
        raise ValueError("a limit below 6m leaves no room to start a program")
    return number


def swap_limit(text: str) -> int:
    """A size, or -1 for no limit."""
    return -1 if text == "-1" else size(text)


def cpus(text: str) -> float:
    """A number of CPUs: ``0.5``, ``2``."""
    number = _decimal(text)
    if number < 0.01:
        raise ValueError("the scheduler cannot share out less than 0.01 CPU")
    return number


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """Seconds: ``90``, ``1.5s``, ``10m``, ``1h30m``, ``-2d``."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest and not rest.lstrip("0123456789."):
        return sign * _decimal(rest)
    total = 0.0
    while rest:
        tail = rest.lstrip("0123456789.")
        number = rest[: len(rest) - len(tail)]
        unit = next((u for u in _SECONDS if tail.startswith(u)), "")
        if not number or not unit:
            raise ValueError("it is no length of time")
        total += _decimal(number) * _SECONDS[unit]
        rest = tail[len(unit) :]
    if not text.lstrip("+-"):
        raise ValueError("it is empty")
    return sign * total


def seconds(text: str) -> int:
    """A duration in whole seconds, at least as long as it was said; -1 for ever."""
    if text == "-1":
        return -1
    exact = duration(text)
    if exact < 0:
        raise ValueError("it is negative")
    return -int(-exact // 1)


def _decimal(number: str) -> float:
    if not number.isascii() or not number.replace(".", "", 1).isdigit():
        raise ValueError("it is not a number")
    return float(number)


def signal(text: str) -> int:
    """A signal's number, from ``TERM``, ``SIGTERM``, ``RTMIN+3`` or ``15``."""
    from minirun.container.signals import number  # rare, so not paid for by every start

    return number(text)


def bytes_rate(text: str) -> tuple[tuple[str, int], ...]:
    """A device and bytes a second: ``/dev/sda:10m``."""
    return _rate(text, size)


def operations_rate(text: str) -> tuple[tuple[str, int], ...]:
    """A device and operations a second: ``/dev/sda:1000``."""
    return _rate(text, integer)


def _rate(text: str, amount: Callable[[str], int]) -> tuple[tuple[str, int], ...]:
    path, _, number = text.rpartition(":")
    if not path:
        raise ValueError("it is not of the form PATH:RATE")
    rate = amount(number)
    if rate < 1:
        raise ValueError("the rate has to be above zero")
    return ((path, rate),)


def pair(text: str) -> dict[str, str]:
    """``name=value``, or a name alone with an empty value; for labels."""
    name, _, value = text.partition("=")
    if not name:
        raise ValueError("there is no name before the =")
    return {name: value}


def setting(text: str) -> dict[str, str]:
    """``name=value``, with both."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError("it is not of the form name=value")
    return {name: value}


def environment(text: str) -> tuple[str, ...]:
    """``NAME=value``; a NAME alone takes the caller's value, none if unset."""
    name, equals, _ = text.partition("=")
    if not name:
        raise ValueError("there is no name before the =")
    if equals:
        return (text,)
    return (f"{name}={os.environ[name]}",) if name in os.environ else ()


def environment_file(path: str) -> tuple[str, ...]:
    """docker's --env-file: NAME=value or NAME on each line, # for comments.

    Nothing is unquoted or expanded: what stands behind the = is the value.
    """
    found: tuple[str, ...] = ()
    for number, line in _lines(path):
        name = line.partition("=")[0]
        if not name or " " in name or "\t" in name:
            raise ValueError(f"line {number} has no proper name: {line!r}")
        found += environment(line)
    return found


def label_file(path: str) -> dict[str, str]:
    """A file of labels, one on each line, # for comments."""
    labels: dict[str, str] = {}
    for number, line in _lines(path):
        try:
            labels.update(pair(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    return labels


def _lines(path: str) -> list[tuple[int, str]]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(getattr(error, "strerror", "") or "it is not UTF-8 text") from error
    lines = ((number, line.lstrip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def octal(text: str) -> int:
    """Permission bits, as chmod(1) writes them: ``022``."""
    if not text or text.strip("01234567") or int(text, 8) > 0o777:
        raise ValueError("it is not an octal number up to 777")
    return int(text, 8)


def one_of(*choices: str, prefixes: tuple[str, ...] = ()) -> Callable[[str], str]:
    """A reader of one of some words, or of a prefix such as ``container:`` and a name."""

    def chosen(text: str) -> str:
        if text in choices or any(text.startswith(p) and len(text) > len(p) for p in prefixes):
            return text
        raise ValueError("there is no such choice")

    return chosen


def streams(text: str) -> tuple[str, ...]:
    """A standard stream by name, for --attach."""
    return (one_of("stdin", "stdout", "stderr")(text.lower()),)


def trace(text: str) -> str:
    """``--trace`` alone prints text, ``--trace=json`` one object a line."""
    if text == "json":
        return "json"
    return "text" if text == "text" or boolean(text) else ""


def network(text: str) -> tuple[str, ...]:
    """What --network takes, once; whether a network of that name is there is looked up later."""
    kind, colon, rest = text.partition(":")
    if colon and kind in ("container", "ns", "cni"):
        if not rest:
            raise ValueError("it names nobody behind the colon")
    elif "=" not in text and not (text and set(text) <= _NAME and text[0].isalnum()):
        raise ValueError("there is no such choice, and it cannot be the name of a network")
    return (text,)


_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
