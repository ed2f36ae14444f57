"""The words behind flags, and the options that come of them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.cli import flag_values, quick
from minirun.cli.flags import TABLES, UMASK
from minirun.container.options import ExecOptions, Options, StartOptions, check
from minirun.errors import UsageError


def options(*argv: str) -> Options:
    """What ``minirun run`` makes of ``argv``."""
    table = TABLES["run"]
    found = quick.read(table, argv)
    assert found is not None, f"{argv} is left to click"
    value: Options = table.value(*found)
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("4096", 4096),
        ("1b", 1),
        ("1k", 1024),
        ("64m", 64 << 20),
        ("64M", 64 << 20),
        ("1.5g", 3 << 29),
        ("1kb", 1024),
        ("2KiB", 2048),
        ("1t", 1 << 40),
        (" 1 m ", 1 << 20),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert flag_values.size(text) == expected


@pytest.mark.parametrize("text", ["", "m", "x", "5x", "1.2.3m", "-1", "1e3", "5i", "0x10", "٣"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError):
        flag_values.size(text)


@given(st.integers(0, 1 << 50))
def test_a_plain_number_is_bytes(number: int) -> None:
    assert flag_values.size(str(number)) == number


def test_memory_has_dockers_minimum() -> None:
    assert options("-m", "6m", "img").memory == 6 << 20
    with pytest.raises(UsageError, match="below 6m"):
        options("-m", "5m", "img")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigkill", 9),
        ("15", 15),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("CLD", 17),
    ],
)
def test_signals(text: str, expected: int) -> None:
    assert flag_values.signal(text) == expected


@pytest.mark.parametrize("text", ["", "0", "65", "NOPE", "-9", "_BLOCK", "TERM+1", "SIG_DFL"])
def test_bad_signals(text: str) -> None:
    with pytest.raises(ValueError):
        flag_values.signal(text)


def test_every_signal_of_the_system_is_known() -> None:
    for one in signal.Signals:
        assert flag_values.signal(one.name) == one.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("1.5s", 1.5), ("10m", 600), ("1h30m", 5400), ("-2d", -172800), ("5ms", 0.005)],
)
def test_durations(text: str, expected: float) -> None:
    assert flag_values.duration(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "-", "x", "10x", "h", "1h2", "--1"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError):
        flag_values.duration(text)


def test_a_timeout_is_never_shorter_than_it_was_said() -> None:
    assert [flag_values.seconds(text) for text in ("10", "1.5s", "0", "-1")] == [10, 2, 0, -1]


def test_cpus() -> None:
    assert flag_values.cpus("0.5") == 0.5
    for bad in ("0", "", "-1", "0.001", "two"):
        with pytest.raises(ValueError):
            flag_values.cpus(bad)


def test_env_alone_takes_the_callers_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "a=b")
    monkeypatch.delenv("UNSET", raising=False)
    assert options("-e", "A=1", "-e", "GIVEN", "-e", "UNSET", "-e", "EMPTY=", "img").env == (
        "A=1",
        "GIVEN=a=b",
        "EMPTY=",
    )


def test_env_wins_over_env_file_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "g")
    file = tmp_path / "env"
    file.write_text('\ufeff# comment\n\nA=from file\n  B="quoted"\nGIVEN\n')
    found = options("-e", "A=from flag", "--env-file", str(file), "img").env
    assert found == ("A=from file", 'B="quoted"', "GIVEN=g", "A=from flag")


def test_a_bad_env_file_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=1\nB C=2\n")
    with pytest.raises(UsageError, match="line 2"):
        options("--env-file", str(file), "img")
    with pytest.raises(UsageError, match="No such file"):
        options("--env-file", str(tmp_path / "none"), "img")


def test_labels_gather(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text("a=1\nb=1\n")
    assert options("-l", "b=2", "--label", "c", "--label-file", str(file), "img").label == {
        "a": "1",
        "b": "2",
        "c": "",
    }


def test_the_last_one_of_a_single_flag_wins() -> None:
    assert options("--name", "a", "--name=b", "img").name == "b"


def test_flags_behind_the_image_belong_to_the_command() -> None:
    found = options("--rm", "img", "sh", "-c", "--rm", "--", "x")
    assert (found.image, found.command) == ("img", ("sh", "-c", "--rm", "--", "x"))


def test_networks() -> None:
    assert options("--net=container:x", "img").network == ("container:x",)
    assert options("--network", "ns:/run/netns/a", "img").network == ("ns:/run/netns/a",)
    assert options("--network", "blue", "--network", "cni:x", "img").network == ("blue", "cni:x")
    for bad in ("-x", "container:", "", "a b", "cni:"):
        with pytest.raises(UsageError, match="--network"):
            options("--network", bad, "img")


def test_who_is_on_a_network() -> None:
    """Whoever does not say otherwise; a mode stands alone, and has no ports."""
    for on in ([], ["--network", "blue"], ["-p", "80:80"], ["--network", "bridge", "-p", "80"]):
        found = options(*on, "img")
        check(found)
        assert not found.network_mode, on
    for mode in ("none", "host", "container:x", "ns:/run/netns/a"):
        assert options("--network", mode, "img").network_mode == mode
        for more in (["-p", "80:80"], ["--network", "blue"], ["--ip", "10.0.0.1"]):
            with pytest.raises(UsageError, match="contradict"):
                check(options("--network", mode, *more, "img"))
    with pytest.raises(UsageError, match="contradict"):
        check(options("--network", "blue", "--network", "none", "img"))


def test_trace_has_two_forms() -> None:
    forms: list[list[str]] = [[], ["--trace"], ["--trace=json"], ["--trace=false"]]
    assert [options(*argv, "img").trace for argv in forms] == ["", "text", "json", ""]


def test_rates_are_a_path_and_a_number() -> None:
    assert options("--device-read-bps", "/dev/a:b:1m", "img").device_read_bps == (("/dev/a:b", 1 << 20),)
    with pytest.raises(UsageError, match="--device-read-iops"):
        options("--device-read-iops", "/dev/a:1m", "img")


def test_umask_is_octal() -> None:
    assert UMASK.read("022") == 0o22
    for bad in ("8", "", "1777", "-1"):
        with pytest.raises(ValueError):
            UMASK.read(bad)


def test_exec_and_start_have_tables_too() -> None:
    execute = TABLES["exec"]
    assert execute.value({"--tty": ["true"]}, ["c", "sh", "-l"]) == ExecOptions(
        container="c", command=("sh", "-l"), tty=True
    )
    assert TABLES["start"].value({"--attach": ["true"]}, ["a", "b"]) == StartOptions(
        containers=("a", "b"), attach=True
    )


@pytest.mark.parametrize("name", list(TABLES))
def test_every_flag_has_a_field_and_help(name: str) -> None:
    table = TABLES[name]
    for flag in table.flags:
        assert flag.field in table.kind.__fields__, f"{flag.name} would be ignored"
        assert flag.help.endswith((".", "programs.")) or "=" in flag.help


def test_no_two_flags_share_a_name() -> None:
    for table in TABLES.values():
        names = [name for flag in table.flags for name in flag.names]
        assert len(names) == len(set(names))


def test_every_option_of_run_can_be_given() -> None:
    given_by_words = {"image", "command"}
    assert {flag.field for flag in TABLES["run"].flags} | given_by_words == set(Options.__fields__)
