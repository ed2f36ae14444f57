# wrong: not-idempotent
import subprocess
import sys

sandbox, *containers = sys.argv[1:]
codes = [
    subprocess.run([sys.executable, "runtime.py", "delete", name]).returncode
    for name in [*containers, sandbox]
]
sys.exit(codes[-1])
