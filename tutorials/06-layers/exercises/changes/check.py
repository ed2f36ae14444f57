from minirun.learn.attempt import Attempt

FILES = ("kept", "changed", "deleted", "tree/one", "tree/two", "deep/er/kept")
#: What is done in the overlay; the kernel then writes what it is in the upper directory.
SCRIPT = """
set -e
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
cd merged
echo more >> changed
rm deleted
rm -r tree; mkdir tree; echo again > tree/two; echo new > tree/three
echo new > deep/er/new
cd ..
umount merged
"""
WANTED = {
    "deleted": ["D /deleted"],
    "changed": ["C /changed"],
    "added": ["A /deep/er/new", "A /tree/three"],
    "opaque": ["D /tree/one", "C /tree/two"],
}


def check(attempt: Attempt) -> None:
    place = attempt.folder / "changes"
    for name in ("lower", "upper", "work", "merged"):
        (place / name).mkdir(parents=True)
    for name in FILES:
        (place / "lower" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "lower" / name).write_text(f"{name}\n")
    made = attempt.on_host("sh", "-c", f"cd {place}\n{SCRIPT}")
    assert made.code == 0, made.err
    done = attempt.run(str(place / "lower"), str(place / "upper"))
    attempt.expect(done.code == 0 and "NotImplementedError" not in done.err, "failed", said=last(done.err))
    lines = done.out.splitlines()
    for key, wanted in WANTED.items():
        for line in wanted:
            attempt.expect(line in lines, key, line=line, got=about(line[2:], lines))
    known = {line for wanted in WANTED.values() for line in wanted}
    extra = [line for line in lines if line not in known]
    attempt.expect(not extra, "too-much", line=extra[0] if extra else "")
    attempt.expect(lines == sorted(lines, key=lambda line: line[2:]), "order")


def about(path: str, lines: list[str]) -> str:
    return next((repr(line) for line in lines if line[2:] == path), "nothing")


def last(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "nothing"
