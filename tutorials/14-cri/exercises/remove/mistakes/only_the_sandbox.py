# wrong: left-over
import subprocess
import sys

sandbox, *containers = sys.argv[1:]
subprocess.run([sys.executable, "runtime.py", "delete", sandbox])
