"""A container runtime of our own, chapter 07: root, but not the host's root.

    python3 runtime.py run ROOTFS CMD [ARG...]

Can now:      as in chapter 04 (which keeps the host name, lo and /sys: a page is short), with root
              held back by capabilities, no_new_privs and seccomp. Left out: 05's limits, 06's layers.
Still lacks:  an eye on clone(CLONE_NEWUSER), masks in /proc, an LSM. SIGKILL leaves nothing.
"""

import ctypes
import os
import signal
import struct
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

libc = ctypes.CDLL(None, use_errno=True)
# <sched.h>, <sys/mount.h>, <sys/prctl.h>
CLONE_NEWNS = 0x00020000  # the oldest one, hence the name: "new namespace" is that of the mounts
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_SET_SECCOMP = 1, 24, 38, 47, 22
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}
# Fourteen of 41, those that Docker keeps: chown dac_override fowner fsetid kill setgid setuid setpcap
KEPT = 0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31  # net_bind net_raw chroot mknod audit_write setfcap
DENIED = """mount 165 40 umount2 166 39 pivot_root 155 41 open_tree 428 428 move_mount 429 429 fsopen 430 430
  mount_setattr 442 442 unshare 272 97 setns 308 268 reboot 169 142 kexec_load 246 104 kexec_file_load 320 294
  init_module 175 105 finit_module 313 273 delete_module 176 106 ptrace 101 117 process_vm_readv 310 270
  bpf 321 280 perf_event_open 298 241 add_key 248 217 keyctl 250 219 settimeofday 164 170 swapon 167 224"""
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of BPF


def run(rootfs, *command):
    """Two processes now: this one stays on the host and waits, its child becomes the program."""
    call("unshare", CLONE_NEWPID)
    if (pid := os.fork()) == 0:
        container(rootfs, command)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number


def container(rootfs, command):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # no container without its runtime
    call("unshare", CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    enter(rootfs)
    drop_capabilities()
    filter_calls()
    execute(command)


# [capabilities]
def drop_capabilities():
    """From five sets: each is a way to a capability, so one that is forgotten is a way back."""
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # exec of a set-user-ID program gives nothing more
    with open("/proc/sys/kernel/cap_last_cap") as last:
        for number in set(range(int(last.read()) + 1)) - set(KEPT):
            call("prctl", PR_CAPBSET_DROP, number)  # bounding: what exec may give to root at most
    call("prctl", PR_CAP_AMBIENT, 4, 0, 0, 0)  # ambient, which exec gives to anybody: clear all
    kept = sum(1 << number for number in KEPT)  # of effective, permitted, and none of inheritable
    call("capset", struct.pack("Ii", 0x20080522, 0), struct.pack("6I", kept, kept, 0, 0, 0, 0))
    # [/capabilities]


# [seccomp]
def filter_calls():
    """A program for the kernel, asked at each system call: instruction, jump if true, if false, operand."""
    arm = os.uname().machine == "aarch64"
    numbers = [int(number) for number in DENIED.split()[1 + arm :: 3]]
    program = [
        (LOAD, 0, 0, 4),  # the architecture of the call
        (EQUAL, 1, 0, 0xC00000B7 if arm else 0xC000003E),  # this one: over the next
        (RETURN, 0, 0, 0x80000000),  # kill: a number means another call elsewhere, as in 32 bits
        (LOAD, 0, 0, 0),  # the number of the call
        (AT_LEAST, len(numbers) + 1, 0, 0x40000000),  # the x32 calls: all of them once more
        *((EQUAL, len(numbers) - at, 0, number) for at, number in enumerate(numbers)),
        (RETURN, 0, 0, 0x7FFF0000),  # allow
        (RETURN, 0, 0, 0x00050001),  # fail, with errno 1: EPERM
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    call("prctl", PR_SET_SECCOMP, 2, struct.pack("HP", len(program), ctypes.addressof(code)), 0, 0)
    # [/seccomp]


def enter(rootfs):
    """Makes rootfs the root of this mount namespace, and takes the old root out of it."""
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    call("mount", "proc", "proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, None)  # /proc/sys too
    call("mount", "tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.close(os.open(f"dev/{name}", os.O_CREAT))  # a file to mount on
        call("mount", f"/dev/{name}", f"dev/{name}", None, MS_BIND, None)
    call("pivot_root", ".", ".")  # now the old root lies on top of the new one, at the same place
    call("umount2", ".", MNT_DETACH)  # and what lies on top is what goes
    os.chdir("/")


def execute(command):
    """Becomes the program: the same process, the same surroundings, another text."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would keep that
    os.execvpe(command[0], command, ENVIRONMENT)


def call(name, *arguments):
    """A system call, by its name in the C library; an OSError tells what failed."""
    if getattr(libc, name)(*(os.fsencode(a) if isinstance(a, str) else a for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {name}{arguments}")


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] != "run":
        sys.exit("usage: runtime.py run ROOTFS CMD [ARG...]")
    try:
        sys.exit(run(*sys.argv[2:]))
    except OSError as error:  # a child's too: it ends here, and at once
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
