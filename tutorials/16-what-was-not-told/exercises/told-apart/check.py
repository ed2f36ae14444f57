import subprocess

from minirun.learn.attempt import Attempt, Process

CASES = (
    ("host", ("env",)),
    ("neither", ("unshare", "--net")),
    ("neither", ("unshare", "--mount", "--uts")),
    ("neither", ("unshare", "--user", "--map-root-user")),
    ("container", ("unshare", "--mount", "--pid", "--fork")),
    ("rootless", ("unshare", "--mount", "--pid", "--fork", "--user", "--map-root-user")),
)


def check(attempt: Attempt) -> None:
    for number, (right, line) in enumerate(CASES):
        words = ["sleep", f"{number + 1000}"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        null = subprocess.DEVNULL
        attempt.fence.popen([*line, *words], str(attempt.folder), environment, stdin=null, stderr=null)

        def sleeper(words: list[str] = words) -> list[int]:
            return [pid for pid in attempt.fence.processes() if Process(pid).words() == words]

        pid = attempt.until(sleeper, "cannot-try", line=" ".join(line))[0]
        done = attempt.run(str(pid))
        word = (done.out + done.err).strip().rpartition("\n")[2]
        attempt.expect(word == right, "wrong-word", line=" ".join(line), word=word, right=right)
