from itertools import pairwise

from minirun.learn.attempt import Attempt

FIRST, MOST = 0.4, 0.8
RUNS = 5


def check(attempt: Attempt) -> None:
    log = attempt.folder / "log"
    command = f'date +%s.%N >> {log}; [ "$(wc -l < {log})" -ge {RUNS} ]'
    with attempt.started(f"{FIRST}", f"{MOST}", "sh", "-c", command) as program:
        attempt.until(lambda: not program.exists(), "no-end", seconds=5, runs=RUNS)
    times = [float(line) for line in log.read_text().split()] if log.exists() else []
    attempt.expect(len(times) >= RUNS, "gave-up", runs=len(times))
    attempt.expect(len(times) == RUNS, "goes-on", runs=len(times))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    attempt.expect(gaps[0] < 0.9 * FIRST, "first-not-at-once", gap=f"{gaps[0]:.1f}")
    attempt.expect(gaps[1] > 0.9 * FIRST, "no-patience", gap=f"{gaps[1]:.1f}", first=FIRST)
    attempt.expect(gaps[2] > 1.8 * FIRST, "not-doubled", gap=f"{gaps[2]:.1f}", wanted=2 * FIRST)
    attempt.expect(gaps[3] < 1.8 * MOST, "no-most", gap=f"{gaps[3]:.1f}", most=MOST)
