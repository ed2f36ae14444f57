import os
import subprocess
import sys

from minirun.learn.attempt import Attempt, Process

#: A process whose threads are called what its arguments say, as QEMU's are; it says when they are.
HYPERVISOR = """
import pathlib, sys, threading
def begin(name):
    pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name)
    named.release()
    threading.Event().wait()
named = threading.Semaphore(0)
for name in sys.argv[1:]:
    threading.Thread(target=begin, args=[name]).start()
    named.acquire()
print("named", flush=True)
"""


def check(attempt: Attempt) -> None:
    for kind, count in (("KVM", 3), ("TCG", 2)):
        names = ["call_rcu", *(f"CPU {number}/{kind}" for number in range(count)), "worker"]
        words = [os.path.realpath(sys.executable), "-c", HYPERVISOR, *names]
        null = subprocess.DEVNULL
        started = attempt.fence.popen(
            words, str(attempt.folder), dict(os.environ), stdin=null, stdout=subprocess.PIPE
        )
        started.stdout.readline()
        started.stdout.close()
        threads = len(os.listdir(f"/proc/{started.pid}/task"))
        said = attempt.output(str(started.pid)).strip()
        attempt.expect(said != str(threads), "counts-all", said=said, right=count, pid=started.pid)
        shown = ", ".join([Process(started.pid).read("comm").strip(), *names])
        attempt.expect(said == str(count), "counts-none", said=said, pid=started.pid, names=shown)
