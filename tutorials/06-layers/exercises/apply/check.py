import io
import tarfile
from pathlib import Path

from minirun.learn.attempt import Attempt

BELOW = ("kept", "old", "gone/one", "gone/two/three", "dir/old", "both/old")


def check(attempt: Attempt) -> None:
    made = attempt.folder / "applied"
    for name in BELOW:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text("below\n")
    layer = attempt.folder / "layer.tar"
    # The marker of `both` stands behind the file that it does not concern: it is of this layer.
    pack(layer, ".wh.old", ".wh.gone", "dir/.wh..wh..opq", "dir/new", "both/new", "both/.wh..wh..opq")
    done = attempt.run(str(layer), str(made))
    attempt.expect(not done.code, "failed", said=(done.err.strip().splitlines() or ["nothing"])[-1])
    markers = sorted(path.name for path in made.rglob(".wh.*"))
    attempt.expect(not markers, "marker", name="".join(markers[:1]))
    for name in ("old", "gone"):
        attempt.expect(not (made / name).exists(), "whiteout", name=name)
    attempt.expect((made / "kept").exists() and (made / "dir" / "new").exists(), "missing")
    attempt.expect(not (made / "dir" / "old").exists(), "opaque", name="dir/old")
    attempt.expect((made / "both" / "new").exists(), "order", name="both/new")
    outside = attempt.folder / "outside"
    outside.mkdir()
    astray = attempt.folder / "astray.tar"
    pack(astray, "way/evil", links={"way": "../outside"})
    attempt.run(str(astray), str(made))
    attempt.expect(not (outside / "evil").exists(), "escaped")


def pack(archive: Path, *names: str, links: dict[str, str] | None = None) -> None:
    with tarfile.open(archive, "w") as tar:
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for name in names:
            content = b"" if ".wh." in name else b"above\n"
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
