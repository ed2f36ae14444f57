# wrong: not-passed-on
import ctypes
import os
import signal
import sys

CLONE_NEWPID, PR_SET_PDEATHSIG = 0x20000000, 1
libc = ctypes.CDLL(None, use_errno=True)


def main(rootfs, *command):
    if libc.unshare(CLONE_NEWPID) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if (pid := os.fork()) == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.chroot(rootfs)
        os.chdir("/")
        init(command)
    sys.exit(exit_code(os.waitpid(pid, 0)[1]))


def exit_code(status):
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def init(command):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    if (pid := os.fork()) == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        os.execv(f"/bin/{command[0]}", command)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    os._exit(exit_code(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main(*sys.argv[2:])
