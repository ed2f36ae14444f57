"""What ``minirun compare`` makes of its measurements: pure, and without root."""

from __future__ import annotations

import json
import subprocess
from xml.dom import minidom

import pytest

from minirun.compare import chart, in_pod, kernel, processes, reach, report, report_reach, syscalls
from minirun.compare.kernel import Kernel
from minirun.compare.measure import Comparison, Measured, Wish, _with_roles
from minirun.compare.processes import Process
from minirun.compare.reach import Reach
from minirun.compare.syscalls import Syscalls
from minirun.pod.expansion import expand
from minirun.values import replace

HOST = Kernel(
    release="6.1.0", boot_id="aaaaaaaa-0000-0000-0000-000000000000", booted=1000, memory=2048, cpus=2
)
GUEST = replace(HOST, boot_id="bbbbbbbb-0000-0000-0000-000000000000", memory=1024, cpus=1)
PROGRAM = ("busybox", 1000)
CAT = Process(pid=10, name="cat", pss=700, program=PROGRAM)
SHOWER = Process(pid=20, name="python", pss=9000, program=("python", 5), role="client")
MONITOR = Process(pid=21, name="minirun:[monitor]", pss=50, program=("monitor", 7))
QEMU = Process(pid=30, name="qemu-system-x86_64", args="qemu -accel tcg", pss=80000, program=("qemu", 9))


def measured(rung: str, *seen: Process, start: float = 1.0, **fields: object) -> Measured:
    """A rung that works."""
    given = {"kernel": HOST, "syscalls": Syscalls(program=48, total=48), **fields}
    return Measured(rung=rung, what=f"a {rung}", starts=(start,), processes=seen, **given)


def comparison(*rungs: Measured) -> Comparison:
    """As ``measure.compare`` gives it."""
    return Comparison(wish=Wish(), host=HOST, rungs=_with_roles(rungs))


@pytest.fixture
def ladder() -> Comparison:
    """A process, a container, a virtual machine, and one that does not work."""
    return comparison(
        measured("process", CAT),
        measured("container", SHOWER, MONITOR, CAT, start=40, syscalls=Syscalls(program=48, total=3000)),
        measured("microVM", SHOWER, QEMU, start=400, kernel=GUEST, syscalls=Syscalls(total=9000)),
        Measured(rung="gVisor", what="runsc", missing="minirun: it does not work; why: so; try: something"),
    )


TRACE = r"""
100 execve("/usr/bin/python3", ["python3", "-m", "minirun", "sh", "-c", "echo \"a\"\n"], 0x7 /* 3 vars */) = 0
100 brk(NULL) = 0x5555
100 clone(child_stack=NULL, flags=SIGCHLD) = 101
101 execve("/sbin/sh", ["sh", "-c", "echo \"a\"\n"], 0x7 /* 2 vars */) = -1 ENOENT (No such file)
101 execve("/bin/sh", ["sh", "-c", "echo \"a\"\n"], 0x7 /* 2 vars */ <unfinished ...>
100 wait4(-1,  <unfinished ...>
101 <... execve resumed>)             = 0
101 write(1, "a\n", 2) = 2
101 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>
102 write(1, ") = 77", 6) = 6
102 exit_group(0)                     = ?
102 +++ exited with 0 +++
101 <... clone resumed>, child_tidptr=0xd0) = 2 /* 102 in strace's PID NS */
101 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=2, si_status=0} ---
101 exit_group(0)                     = ?
100 <... wait4 resumed>[{WIFEXITED(s)}], 0, NULL) = 101
100 exit_group(0) = ?
"""


class TestSyscalls:
    """Counting in what strace wrote."""

    def test_the_programs_begin_with_its_execve_and_take_in_its_children(self) -> None:
        """write, clone, exit of 101; write, exit of 102; of 12 calls in all."""
        found = syscalls.count(TRACE.splitlines(), ["sh", "-c", 'echo "a"\n'])
        assert found == Syscalls(program=5, total=12)

    def test_a_program_that_never_was_executed_is_not_known(self) -> None:
        """As in a virtual machine: everything is somebody else's."""
        found = syscalls.count(TRACE.splitlines(), ["sh", "-c", "echo b"])
        assert found == Syscalls(program=None, total=12)

    def test_long_arguments_are_known_by_their_beginning(self) -> None:
        """strace cuts strings; what it cut is the same program."""
        line = '7 execve("/bin/sh", ["sh", "' + "x" * 64 + '"..., "z"], 0x7 /* 1 var */) = 0'
        trace = [line, "7 getpid() = 7"]
        assert syscalls.count(trace, ["sh", "x" * 100, "z"]).program == 1
        assert syscalls.count(trace, ["sh", "x" * 100, "y"]).program is None

    def test_bytes_beyond_ascii_are_read_as_strace_writes_them(self) -> None:
        """UTF-8 is written in octal."""
        trace = [r'7 execve("/bin/echo", ["echo", "\303\244"], 0x7 /* 1 var */) = 0', "7 getpid() = 7"]
        assert syscalls.count(trace, ["echo", "ä"]).program == 1


class TestKernel:
    """Reading what a workload says of its kernel."""

    def test_the_answer_is_read(self) -> None:
        """The script's output, in the order of its files."""
        text = f"6.1.0\n{HOST.boot_id}\ncpu  1 2\ncpu0 1\ncpu1 1\nbtime 1000\nMemTotal:    2048 kB\n"
        assert kernel.parse(text) == HOST

    def test_what_is_not_told_is_empty(self) -> None:
        """gVisor has no boot_id."""
        assert kernel.parse("4.4.0\nbtime 7\n") == Kernel(release="4.4.0", booted=7)

    def test_our_own_kernel_is_read_in_the_same_way(self) -> None:
        """All of it is there on a Linux host."""
        ours = kernel.of_host()
        assert all((ours.release, ours.boot_id, ours.booted, ours.memory, ours.cpus))

    def test_the_same_boot_id_is_the_same_kernel(self) -> None:
        """A release may be the same by chance, a boot_id may not."""
        assert report.shares_kernel(HOST, HOST) is True
        assert report.shares_kernel(GUEST, HOST) is False
        assert report.shares_kernel(Kernel(release="4.4.0"), HOST) is False
        assert report.shares_kernel(None, HOST) is None


class TestProcesses:
    """Who is who among the processes of a run."""

    def test_pss_is_a_line_of_smaps_rollup(self) -> None:
        """Not Pss_Dirty or SwapPss."""
        text = "5555-7fff ---p [rollup]\nRss:  900 kB\nPss:  123 kB\nPss_Dirty:  7 kB\nSwapPss:  0 kB\n"
        assert processes.parse_pss(text) == 123
        assert processes.parse_pss("") == 0

    def test_roles(self) -> None:
        """The program is what the plain process was; the client stays the client."""
        assert processes.role(CAT, {PROGRAM}) == "program"
        assert processes.role(MONITOR, {PROGRAM}) == "keeper"
        assert processes.role(SHOWER, {SHOWER.program}) == "client"
        assert processes.role(CAT, set()) == ""


class TestPod:
    """The rung that takes several commands."""

    def test_the_words_come_through_a_manifest(self) -> None:
        """Which has a meaning of its own for dollar signs."""
        words = ("sh", "-c", "echo $HOME $(date) $$ $$(X)")
        spec = json.loads(in_pod.manifest("name", "image", words))["spec"]
        assert tuple(expand(word, {"X": "x"}) for word in spec["containers"][0]["command"]) == words

    def test_the_script_is_the_shells(self) -> None:
        """Its words are quoted: a name may have spaces."""
        line = in_pod.line(["echo", "a b"], "pod", "file")
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
        assert done.stdout.splitlines() == ["a b pod logs --follow pod"]


class TestReport:
    """From numbers to words."""

    def test_rows(self, ladder: Comparison) -> None:
        """A row for each rung; one that does not work says why, in words."""
        process, container, machine, gvisor = report.rows(ladder)
        assert (process["start"], process["memory"], process["syscalls"]) == ("1.0 ms", "0 KiB", "48")
        assert container["memory"] == "50 KiB"
        assert container["processes"] == "2: minirun:[monitor], cat"
        assert container["syscalls"] == "48 of 3000"
        assert machine["memory"] == "77.4 MiB"  # 80000 - 700 KiB: the program is somewhere in QEMU
        assert machine["processes"] == "1: qemu-system-x86_64"
        assert machine["syscalls"] == "0 of 9000"
        assert gvisor["start"] == "-"
        assert gvisor["syscalls"] == "not measured: it does not work"

    def test_every_row_has_every_column(self, ladder: Comparison) -> None:
        """Also that of a rung that does not work."""
        for row in report.rows(ladder):
            assert {key for _, key in report.COLUMNS} == set(row)

    def test_shared(self, ladder: Comparison) -> None:
        """What is the host's own is said to be the same, what is not is shown."""
        rows, columns = report.shared(ladder)
        assert [key for _, key in columns] == ["fact", "host", "process", "container", "microVM"]
        boot = next(row for row in rows if row["fact"] == "boot id")
        assert (boot["container"], boot["microVM"]) == ("the same", "bbbbbbbb...")
        seen = next(row for row in rows if row["fact"] == "the program in ps")
        assert (seen["container"], seen["microVM"]) == ("visible", "not to be seen")

    def test_the_answer_is_of_what_was_measured(self, ladder: Comparison) -> None:
        """A kernel shared, calls answered; a kernel of its own, and none of its calls seen."""
        text = " ".join(report.answer(ladder))
        assert "container is on the host's own running kernel" in text
        assert "each of its 48 system calls" in text
        assert "microVM is on a kernel of its own, 6.1.0: ps shows qemu-system-x86_64" in text
        assert "none of the 9000 system calls" in text
        assert "gVisor" not in text

    def test_no_answer_without_measurements(self) -> None:
        """What did not run proves nothing."""
        missing = [Measured(rung=rung, what="", missing="no") for rung in ("process", "container", "microVM")]
        assert list(report.answer(comparison(*missing))) == []

    def test_who_outlives_the_program_says_nothing_of_it(self) -> None:
        """A pod's command removes it when the program has ended: then nobody knows what ps had shown."""
        missing = Measured(rung="process", what="")
        found = comparison(missing, measured("pod", SHOWER))
        assert report.rows(found)[1]["processes"] == "it had ended"
        assert report.is_visible(found.rungs[1]) is None
        assert not any("keeps" in line for line in report.answer(found))

    def test_without_a_plain_process_nobody_knows_the_program(self) -> None:
        """Then no number is made up."""
        missing = Measured(rung="process", what="", missing="no")
        found = comparison(missing, measured("container", SHOWER, MONITOR, CAT))
        assert report.is_visible(found.rungs[1]) is None
        assert report.rows(found)[1]["memory"] == "-"

    def test_the_legend_says_what_a_number_hides(self, ladder: Comparison) -> None:
        """The client's memory, the emulated processor, the reason of a failure."""
        text = "\n".join(meaning for _, meaning in report.legend(ladder))
        assert "container 8.8 MiB, microVM 8.8 MiB" in text
        assert "(TCG)" in text
        assert "not measured: minirun: it does not work; why: so; try: something" in text

    def test_the_record_is_json(self, ladder: Comparison) -> None:
        """Numbers for programs, null for what is not known."""
        record = json.loads(json.dumps(report.record(ladder)))
        _, container, machine, gvisor = record["rungs"]
        assert (container["start_ms"], container["memory_kib"], container["shares_kernel"]) == (40, 50, True)
        assert (machine["shares_kernel"], machine["program_visible"]) == (False, False)
        assert machine["syscalls"] == {"program": 0, "total": 9000, "note": None}
        assert (gvisor["start_ms"], gvisor["processes"], gvisor["kernel"]) == (None, None, None)
        assert gvisor["missing"].startswith("minirun: it does not work")

    @pytest.mark.parametrize(
        ("number", "shown"), [(None, "-"), (1.234, "1.2 ms"), (47.4, "47 ms"), (1234.5, "1.23 s")]
    )
    def test_milliseconds(self, number: float | None, shown: str) -> None:
        """Three digits at most."""
        assert report.milliseconds(number) == shown

    @pytest.mark.parametrize(
        ("number", "shown"), [(None, "-"), (0, "0 KiB"), (1536, "1.5 MiB"), (3 << 20, "3.0 GiB")]
    )
    def test_kibibytes(self, number: int | None, shown: str) -> None:
        """Units count by 1024, and say so."""
        assert report.kibibytes(number) == shown


class TestChart:
    """Bars, whose lengths are the numbers."""

    @pytest.mark.parametrize(
        ("length", "drawn"), [(0, ""), (0.01, "▏"), (0.5, "▌"), (1, "█"), (2.25, "██▎"), (2.99, "███")]
    )
    def test_blocks(self, length: float, drawn: str) -> None:
        """To an eighth of a character; something is more than nothing."""
        assert chart.blocks(length) == drawn

    @pytest.mark.parametrize("width", [40, 80, 120])
    def test_text_keeps_to_its_width(self, ladder: Comparison, width: int) -> None:
        """The longest bar and its number fill the line."""
        assert max(map(len, chart.text(ladder, width))) <= width

    def test_svg_is_a_document_with_bars_to_scale(self, ladder: Comparison) -> None:
        """A tenth of the number is a tenth of the length; what is not measured has none."""
        document = minidom.parseString(chart.svg(ladder))
        bars = [bar for bar in document.getElementsByTagName("rect") if bar.getAttribute("class") == "bar"]
        lengths = [float(bar.getAttribute("width")) for bar in bars]
        assert len(lengths) == 3 * len(ladder.rungs)
        _, container, machine, gvisor = lengths[:4]
        assert (container, gvisor) == (pytest.approx(machine / 10), 0)

    def test_svg_quotes_what_the_user_typed(self, ladder: Comparison) -> None:
        """A command is text, whatever is in it."""
        wild = replace(ladder, wish=Wish(image="i", command=("sh", "-c", "echo <script>&'\"</script>")))
        document = minidom.parseString(chart.svg(wild))
        title = document.getElementsByTagName("title")[0].firstChild
        assert title is not None and "<script>&" in str(title.nodeValue)


INSIDE = """6.1.0
{mark}
processes: 3
Uid:	0	0	0	0
CapEff:	00000000a80425fb
Seccomp:	2
users: 0 524288 65536
interfaces: lo eth0
mount: mount: permission denied (are you root?)
log:
"""


class TestReach:
    """What an attacker sees, as it is asked from inside."""

    def test_the_answer_is_read(self) -> None:
        """Of a container with a user namespace."""
        assert reach.parse(INSIDE.format(mark=reach.MARK)) == Reach(
            processes=3,
            uid=0,
            outside=524288,
            capabilities=14,
            filtered=True,
            interfaces=("eth0", "lo"),
            may_mount=False,
            reads_log=False,
        )

    @pytest.mark.parametrize(
        ("said", "may"),
        [
            ("mount: mounting none on / failed: No such device", True),
            ("mount: /: unknown filesystem type 'of-nobody'.", True),
            ("mount: /: must be superuser to use mount.", False),
            ("sh: mount: not found", None),
        ],
    )
    def test_whether_it_may_mount(self, said: str, may: bool | None) -> None:
        """By the words of busybox and of util-linux."""
        assert reach.parse(f"{reach.MARK}\nmount: {said}\n").may_mount is may

    def test_what_was_not_told_is_not_known(self) -> None:
        """An image without a shell."""
        assert reach.parse("6.1.0\n") == Reach()

    def test_the_table(self) -> None:
        """A row for each question, a column for each rung that has told."""
        told = reach.parse(INSIDE.format(mark=reach.MARK))
        found = comparison(
            measured("process", reach=replace(told, outside=0, interfaces=("a", "b", "c", "d"))),
            measured("container", reach=told),
            measured("microVM", kernel=GUEST, reach=replace(told, outside=0)),
            measured("gVisor"),
        )
        rows, columns = report_reach.attacker(found)
        assert [key for _, key in columns] == ["sees", "process", "container", "microVM"]
        assert list(rows[0].values())[1:] == ["root of the host", "root, 524288 outside", "root of the guest"]
        assert rows[4]["process"] == "a b c and 1 more"
        assert list(rows[-1].values())[1:] == [
            "the host's kernel",
            "the host's kernel",
            "a kernel of its own",
        ]
