from minirun.learn.attempt import Attempt

# mov edx, 0x3f8; mov al, 'H'; out dx, al; mov al, 'i'; out dx, al; hlt
GREET = "baf8030000 b048 ee b069 ee f4"
# mov ecx, 100000000; again: dec ecx; jnz again; then as above
COUNT = "b900e1f505 ffc9 75fc" + GREET
# mov eax, 83 (mkdir); lea rdi, [rip + 9]; mov esi, 511; syscall; hlt; the path
MAKE = "b853000000 488d3d08000000 beff010000 0f05 f4"
SECONDS = 5.0


def check(attempt: Attempt) -> None:
    attempt.output("f4", timeout=SECONDS)
    for code in (GREET, COUNT):
        done = attempt.run(code.replace(" ", ""), timeout=SECONDS)
        attempt.expect(done.out == "Hi", "wrong-output", right="Hi", out=done.out)
    path = attempt.folder / "made"
    attempt.run(MAKE.replace(" ", "") + f"{path}\0".encode().hex(), timeout=SECONDS)
    attempt.expect(not path.exists(), "calls-the-host", path=path)
