import os
import signal
import sys

from contained import exit_code, run


def init(command):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    if (pid := os.fork()) == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        os.execv(f"/bin/{command[0]}", command)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(pid, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    while True:
        dead, status = os.wait()
        if dead == pid:
            os._exit(exit_code(status))


if __name__ == "__main__":
    run(sys.argv[2], sys.argv[3:], init)
