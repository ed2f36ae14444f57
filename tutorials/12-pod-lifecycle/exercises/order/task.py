"""First things first: `python3 order.py POD.json`."""

import json
import subprocess
import sys

spec = json.load(open(sys.argv[1]))["spec"]
# spec["initContainers"] and spec["containers"] are lists of {"name": ..., "command": [...]};
# a sidecar is an init container that has "restartPolicy": "Always" as well.
# subprocess.Popen(command) starts a program; .wait() gives its exit code, .terminate() sends SIGTERM.
raise NotImplementedError("init containers one by one, sidecars among them; the others together; the end")
