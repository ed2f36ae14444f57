# wrong: apps-in-turn
import json
import subprocess
import sys

spec = json.load(open(sys.argv[1]))["spec"]
sidecars = []
code = 0
for each in spec["initContainers"]:
    program = subprocess.Popen(each["command"])
    if each.get("restartPolicy") == "Always":
        sidecars.append(program)
    elif program.wait() != 0:
        code = 1
        break
else:
    codes = [subprocess.call(each["command"]) for each in spec["containers"]]
    code = int(any(codes))
for sidecar in reversed(sidecars):
    sidecar.terminate()
    sidecar.wait()
sys.exit(code)
