from minirun.learn.attempt import Attempt


def check(attempt: Attempt) -> None:
    short = "app-1"
    message = "0a05" + short.encode().hex()
    out = attempt.output(short).strip()
    attempt.expect(out != message, "no-frame", id=short, out=out)
    attempt.expect(
        out[:10] == "0000000007", "wrong-length", id=short, length=7, right="00000007", out=out[2:10]
    )
    attempt.expect(out[10:14] == "0a05", "wrong-field", id=short, right="0a05", out=out[10:14])
    attempt.expect(out[10:] == message, "wrong-field", id=short, right=message, out=out[10:])
    long = "c" * 200
    out = attempt.output(long).strip()
    attempt.expect(out[12:16] == "c801", "long-name", length=200, right="c801", out=out[12:16])
    attempt.expect(
        out == "00000000cb0ac801" + long.encode().hex(), "long-name", length=200, right="c801", out=out
    )
