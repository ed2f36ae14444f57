"""vm run: the image's program in a machine of its own, as if there were none."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE
from tests.vm.conftest import running

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run")


def test_output_errors_and_exit_code_come_through(vm: Minirun) -> None:
    done = vm(*RUN, "--timeout", "-1", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert running(vm) == set()


def test_the_program_has_a_kernel_of_its_own(vm: Minirun, kernels: Path) -> None:
    """That is what all of it is for."""
    done = vm(*RUN, "busybox", "sh", "-c", "uname -r; cat /proc/sys/kernel/random/boot_id", check=True)
    release, boot_id = done.stdout.split()
    assert (kernels / release / "vmlinux").exists()
    assert boot_id != Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_what_a_container_can_be_told_a_machine_can_too(vm: Minirun) -> None:
    flags = "-e A=b -w /new/dir -u 1000:2000 --group-add 77 --umask 27 -h node -i".split()
    script = "echo $A; pwd; id -u; id -g; id -G; umask; hostname; cat; stat -c '%u %g' /new/dir"
    done = vm(*RUN, *flags, "busybox", "sh", "-c", script, input="typed\n", check=True)
    lines = done.stdout.splitlines()
    assert lines == ["b", "/new/dir", "1000", "2000", "2000 77", "0027", "node", "typed", "0 0"]


def test_the_images_own_user_command_and_entrypoint(vm: Minirun, tmp_path: Path) -> None:
    """--entrypoint goes before the words, and what the image says holds where nothing was said."""
    done = vm(*RUN, "--entrypoint", "echo", "-e", "PATH=/bin", "busybox", "a", "b c", check=True)
    assert done.stdout == "a b c\n"
    plain = subprocess.run(
        vm.command(*RUN, "busybox"),
        input=b"echo typed\n",
        capture_output=True,
        env=vm.environment,
        check=False,
    )
    assert (plain.returncode, plain.stdout) == (0, b"")  # its shell, which reads no stdin without -i


def test_what_is_typed_stays_outside_without_i(vm: Minirun) -> None:
    done = vm(*RUN, "busybox", "sh", "-c", "cat; echo end", input="typed\n", check=True)
    assert done.stdout == "end\n"


def test_megabytes_go_both_ways_byte_by_byte(vm: Minirun) -> None:
    data = os.urandom(3_000_001)
    done = shell.run_bytes(
        vm, *RUN, "-i", "busybox", "sh", "-c", "tee /dev/stderr | sha256sum >&2; exit 5", input=data
    )
    digest = hashlib.sha256(data).hexdigest().encode()
    assert done.returncode == 5 and done.stdout == b""
    assert done.stderr == data + digest + b"  -\n"


def test_a_program_that_leaves_its_input_is_not_waited_for(vm: Minirun) -> None:
    done = shell.run_bytes(vm, *RUN, "-i", "busybox", "head", "-c", "3", input=bytes(2_000_000))
    assert (done.returncode, done.stdout) == (0, bytes(3))


def test_a_reader_that_leaves_ends_it(vm: Minirun) -> None:
    """`minirun vm run busybox yes | head -1`: 128 + SIGPIPE, and no word."""
    process = shell.watched(vm, *RUN, "busybox", "yes")
    assert shell.line(process) == "y"
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(PATIENCE) == 141


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["nosuch"], 127, "no such program"),
        (["/etc/passwd"], 126, "permission denied"),
        (["sh", "-c", "printf '#!/nosuch\\n' > /x; chmod +x /x; exec /x"], 127, ""),
        (["sh", "-c", "kill -9 $$"], 137, ""),
    ],
)
def test_exit_codes_as_a_containers(vm: Minirun, command: list[str], code: int, said: str) -> None:
    done = vm(*RUN, "busybox", *command)
    assert done.returncode == code and said in done.stderr, done.stderr


def test_processors_and_memory_are_what_was_asked_for(vm: Minirun) -> None:
    done = vm(*RUN, "--cpus", "2", "-m", "128m", "busybox", "sh", "-c", "nproc; grep MemTotal /proc/meminfo")
    cpus, _, kilobytes, _ = done.stdout.split()
    assert cpus == "2"
    assert 64 << 10 < int(kilobytes) < 128 << 10


def test_a_rootfs_directory_stands_for_an_image(vm: Minirun, busybox_rootfs: Path) -> None:
    """And the guest's writes do not reach it."""
    before = sorted(os.listdir(busybox_rootfs))
    done = vm(*RUN, "--rootfs", str(busybox_rootfs), "/bin/sh", "-c", "echo new > /new; cat /new", check=True)
    assert done.stdout == "new\n"
    assert sorted(os.listdir(busybox_rootfs)) == before


def test_many_open_pipes_of_children_do_not_hold_it(vm: Minirun) -> None:
    """The end of the program is the end of the machine, whoever else still runs."""
    done = vm(*RUN, "busybox", "sh", "-c", "sleep 1000 & sleep 1000 | sleep 1000 & echo done")
    assert (done.returncode, done.stdout) == (0, "done\n")
