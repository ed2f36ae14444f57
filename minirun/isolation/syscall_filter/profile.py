"""Our default profile: the system calls that a contained program may make, and what for.

An allowlist. What is in no group below gets EPERM, and what is newer than all of them ENOSYS. The
rule for every entry: the kernel confines the call by namespaces, or it concerns only the caller
itself. Left out on purpose, although some of it asks for no capability:

- io_uring_*: its operations bypass this filter, and it was the source of many escapes;
- userfaultfd, vmsplice: they stretch races in the kernel wide enough to win;
- add_key, keyctl, request_key: keyrings know no namespaces;
- kexec_*, swapon, swapoff, pivot_root, nfsservctl, quotactl of old: the host's business, whatever
  the capabilities.

The filter has a section for the machine's own architecture and one for its 32-bit sibling (x86 on
x86_64, arm on aarch64), so that 32-bit images run; x32 and all else kill the process. Sockets
are where 32-bit x86 differs: socketcall(2) hides the address family in memory, where no filter
can look, so it may not make sockets, and a program that makes them that way (glibc does) needs a
JSON profile which allows ``socketcall``.

It is nowhere looser than docker's: tests/unit/test_syscall_filter_profile.py. A JSON profile of
one's own goes by ``--security-opt seccomp=FILE``. man7.org/linux/man-pages/man2/syscalls.2.html
"""

from __future__ import annotations

import errno
import os

from minirun.isolation.syscall_filter.architectures import of_machine
from minirun.spec import Seccomp, SyscallArg, SyscallRule

#: purpose -> the calls. A name that an architecture does not have is passed over there.
GROUPS = {
    "run and end programs; to make namespaces with clone needs CAP_SYS_ADMIN, below": """
        execve execveat exit exit_group fork vfork wait4 waitid waitpid restart_syscall
        set_tid_address set_robust_list get_robust_list rseq set_thread_area get_thread_area""",
    "know oneself and one's relatives": """
        getpid getppid gettid getpgid getpgrp getsid setpgid setsid getcpu uname sysinfo times
        getrusage getrlimit ugetrlimit setrlimit prlimit64 getpriority setpriority umask prctl""",
    "user and group ids: a user namespace or the missing capability confines them": """
        getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32
        getresgid getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid
        setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setgroups
        setgroups32 setfsuid setfsuid32 setfsgid setfsgid32 capget capset""",
    "give up rights further: a filter or a Landlock domain can only be narrowed": """
        seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self""",
    "own memory": """
        brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock
        munlockall membarrier remap_file_pages memfd_create memfd_secret mseal pkey_alloc pkey_free
        pkey_mprotect map_shadow_stack process_mrelease""",
    "signals; the PID namespace holds those that can be reached": """
        kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigpending rt_sigsuspend rt_sigtimedwait
        rt_sigtimedwait_time64 rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn sigaltstack sigprocmask
        sigreturn signalfd signalfd4 pause pidfd_open pidfd_send_signal""",
    "read the clocks, sleep, and timers; to set a clock needs CAP_SYS_TIME": """
        time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64
        clock_nanosleep clock_nanosleep_time64 nanosleep alarm getitimer setitimer timer_create
        timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
        timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
        adjtimex clock_adjtime clock_adjtime64""",
    "scheduling of one's own threads, within the cgroup's share": """
        sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam
        sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max
        sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 ioprio_get
        ioprio_set""",
    "locks between threads": """
        futex futex_time64 futex_wait futex_wake futex_requeue futex_waitv""",
    "open files": """
        open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock pipe pipe2
        ioctl name_to_handle_at""",
    "read and write": """
        read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek
        sendfile sendfile64 splice tee copy_file_range readahead cachestat fadvise64 fadvise64_64
        fallocate truncate truncate64 ftruncate ftruncate64 fsync fdatasync sync syncfs
        sync_file_range""",
    "look at files": """
        stat stat64 fstat fstat64 lstat lstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs
        fstatfs64 access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir
        fchdir statmount listmount""",
    "change the tree of files; device nodes open only as the cgroup's device rules say": """
        mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
        mknod mknodat chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32
        fchownat utime utimes futimesat utimensat utimensat_time64""",
    "extended attributes": """
        getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat setxattr
        lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat""",
    "be told that something changed": """
        inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark""",
    "wait for many descriptors": """
        select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create
        epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
        eventfd eventfd2""",
    "asynchronous reads and writes of the old kind, which this filter does see": """
        io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64""",
    "sockets that exist; to make one is restricted to families, below": """
        socketpair bind connect listen accept accept4 shutdown getsockname getpeername getsockopt
        setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64""",
    "System V and POSIX message queues, semaphores, shared memory: the IPC namespace's": """
        ipc msgget msgsnd msgrcv msgctl semget semop semtimedop semtimedop_time64 semctl shmget
        shmat shmdt shmctl mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend
        mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64""",
    "debug and look into processes of one's own user: ptrace(2) checks": """
        ptrace process_vm_readv process_vm_writev""",
    "random numbers": "getrandom",
}

#: What a machine's processors have beside: thread pointers, instruction caches, old segments.
MACHINE = {
    "x86_64": "arch_prctl modify_ldt uretprobe",
    "i686": "modify_ldt",
    "aarch64": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "armv7l": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "riscv64": "riscv_flush_icache riscv_hwprobe",
    "s390x": "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
    "ppc64le": "sync_file_range2 swapcontext",
}

#: Calls that go with a capability: without it the kernel would refuse most of them anyway, but
#: in a user namespace of one's own it would not.
CAPABILITY = {
    # mounts, namespaces, names of the machine
    "CAP_SYS_ADMIN": """
        mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick
        clone clone3 unshare setns sethostname setdomainname quotactl quotactl_fd fanotify_init
        bpf perf_event_open syslog lsm_get_self_attr lsm_set_self_attr lsm_list_modules""",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYSLOG": "syslog",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    # open a file by its inode number: the way out of a container that took the name "shocker"
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_MODULE": "init_module finit_module delete_module",
    "CAP_SYS_NICE": "mbind get_mempolicy set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
}

#: The address families of <linux/socket.h> that a container's network is made of. Not AF_ALG
#: (CVE-2026-31431), not AF_VSOCK, which knows no network namespace and leads to the hypervisor,
#: nor the many that only a rare driver serves and that a socket(2) would load as a module.
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}

#: <linux/personality.h>: PER_LINUX and PER_LINUX32, each also with UNAME26, and "just tell me". Not
#: ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC, which make an exploit easier.
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

#: CLONE_NEW* of <linux/sched.h>: NS CGROUP UTS IPC USER PID NET.
NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

ALLOW = "SCMP_ACT_ALLOW"


def default(capabilities: tuple[str, ...], machine: str = "") -> Seccomp:
    """The profile for a process with these capabilities in its bounding set.

    ``machine`` as uname(2) names it; this one by default. Raises Unsupported for one without a table.
    """
    machine = machine or os.uname().machine
    names = " ".join((*GROUPS.values(), MACHINE.get(machine, ""))).split()
    for capability, calls in CAPABILITY.items():
        if capability in capabilities:
            names += calls.split()
    rules = [SyscallRule(names=tuple(dict.fromkeys(names)), action=ALLOW)]
    rules += [_one_of("socket", family) for family in FAMILIES.values()]
    rules += [_one_of("personality", persona) for persona in PERSONALITIES]
    if "CAP_SYS_ADMIN" not in capabilities:
        rules += _no_new_namespaces(machine)
    return Seccomp(
        defaultAction="SCMP_ACT_ERRNO",
        defaultErrnoRet=errno.EPERM,
        architectures=of_machine(machine),
        syscalls=tuple(rules),
    )


def _one_of(name: str, value: int) -> SyscallRule:
    condition = SyscallArg(index=0, value=value, op="SCMP_CMP_EQ")
    return SyscallRule(names=(name,), action=ALLOW, args=(condition,))


def _no_new_namespaces(machine: str) -> list[SyscallRule]:
    # clone(2), "C library/kernel differences": s390 has flags and stack the other way round.
    flags = 1 if machine == "s390x" else 0
    condition = SyscallArg(index=flags, value=NEW_NAMESPACES, valueTwo=0, op="SCMP_CMP_MASKED_EQ")
    return [
        SyscallRule(names=("clone",), action=ALLOW, args=(condition,)),
        # clone3's flags are in memory, where a filter cannot look; with ENOSYS libc uses clone.
        SyscallRule(names=("clone3",), action="SCMP_ACT_ERRNO", errnoRet=errno.ENOSYS),
    ]
