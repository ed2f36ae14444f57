import subprocess

from minirun.learn.attempt import Attempt, Process

INSIDE = "unshare --pid --fork --mount-proc sh -c 'sleep {mark} & wait'"


def check(attempt: Attempt) -> None:
    for number, line in enumerate(("sleep {mark}", INSIDE)):
        mark = str(1000 + number)
        null = subprocess.DEVNULL
        words = ["sh", "-c", line.format(mark=mark)]
        attempt.fence.popen(words, str(attempt.folder), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=null)

        def sleeper(mark: str = mark) -> list[int]:
            return [pid for pid in attempt.fence.processes() if Process(pid).words() == ["sleep", mark]]

        pid = attempt.until(sleeper, "crashed", line=line)[0]
        right = Process(pid).status("NSpid").split()[-1]
        word = attempt.output(str(pid)).strip()
        attempt.expect(word == right or word != str(pid), "says-the-hosts", pid=pid, right=right)
        attempt.expect(word == right or word != "1", "says-one", pid=pid, right=right)
        attempt.expect(word == right, "says-the-hosts", pid=word, right=right)
