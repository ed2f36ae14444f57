"""native/monitor_log.h: the log in Kubernetes' format, rotation, a full disk."""

from __future__ import annotations

import resource

from tests.unit.native import ATTACHED, INTERACTIVE, TIME, Start, end_of, python

pytest_plugins = ("tests.unit.native",)


def test_the_log_has_the_kubernetes_format(start: Start) -> None:
    monitor = start("echo one; echo; printf 'three\\n'; echo four >&2", "log=1")
    end_of(monitor)
    records = monitor.log()
    assert all(TIME.fullmatch(time) for time, *_ in records)
    assert sorted(record[1:] for record in records) == [
        ("stderr", "F", "four"), ("stdout", "F", ""), ("stdout", "F", "one"), ("stdout", "F", "three"),
    ]  # fmt: skip


def test_a_part_of_a_line_is_logged_at_once(start: Start) -> None:
    monitor = start("printf 'half '; read x; echo whole; printf end", "log=1", stdin=True,
                    first=(INTERACTIVE,))  # fmt: skip
    monitor.client.until(b"O")
    assert [record[2:] for record in monitor.log()] == [("P", "half ")]
    monitor.client.send(b"I\n")
    monitor.client.exit()
    tags_and_text = [record[2:] for record in monitor.log()]
    assert tags_and_text in ([("P", "half "), ("F", "whole"), ("P", "end")],)


def test_a_long_line_comes_back_from_its_parts(start: Start) -> None:
    monitor = start(python("import sys; sys.stdout.write('x' * 100_000 + '\\nshort\\n')"), "log=1")
    end_of(monitor)
    records = monitor.log()
    assert all(len(text) <= 16384 for *_, text in records)
    text = "".join(text + ("\n" if tag == "F" else "") for _, _, tag, text in records)
    assert text == "x" * 100_000 + "\nshort\n"


def test_rotation_happens_between_lines_and_keeps_so_many_files(start: Start) -> None:
    monitor = start("seq 5000", "log=1", "logsize=20000", "logfiles=4")
    end_of(monitor)
    names = ["container.log.3", "container.log.2", "container.log.1", "container.log"]
    assert sorted(p.name for p in monitor.data.glob("container.log*")) == sorted(names)
    kept = [int(text) for name in names for _, _, _, text in monitor.log(name)]
    assert kept == list(range(kept[0], 5001))
    for name in names[:-1]:
        assert 20000 <= (monitor.data / name).stat().st_size < 20100
        assert (monitor.data / name).read_text().endswith("\n")


def test_one_log_file_starts_over(start: Start) -> None:
    monitor = start("seq 1000", "log=1", "logsize=10000", "logfiles=1")
    end_of(monitor)
    assert [p.name for p in monitor.data.glob("container.log*")] == ["container.log"]
    assert monitor.log()[-1][3] == "1000"
    assert (monitor.data / "container.log").stat().st_size < 10100


def test_a_line_without_end_does_not_fill_the_disk(start: Start) -> None:
    monitor = start("head -c 1000000 /dev/zero", "log=1", "logsize=50000", "logfiles=2")
    end_of(monitor)
    sizes = [path.stat().st_size for path in monitor.data.glob("container.log*")]
    assert len(sizes) == 2
    assert all(size < 2 * 50000 + 17000 for size in sizes)


def test_a_full_disk_costs_log_lines_not_the_container(start: Start) -> None:
    """The file size limit stands in for the full disk: both cut a write short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, hard))
    try:
        monitor = start("ulimit -f unlimited; seq 1000", "log=1", first=(ATTACHED,))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    record = monitor.client.exit()
    assert record["exitCode"] == 0
    assert record["logBytesLost"] > 0
    assert monitor.client.output[b"O"] == "".join(f"{n}\n" for n in range(1, 1001)).encode()
    log = monitor.data / "container.log"
    if log.stat().st_size:
        assert log.read_text().endswith("\n")  # no torn record
    assert record["logBytesLost"] + log.stat().st_size > 1000 * 40


def test_without_log_there_is_no_file(start: Start) -> None:
    monitor = start("echo hello")
    end_of(monitor)
    assert not (monitor.data / "container.log").exists()
