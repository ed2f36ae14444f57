"""Each attack of attack.py against `minirun run`, with one wall after the other taken away.

    python3 matrix.py

A column is a container, started with the flags below and the limits of LIMITS, in which all attacks are made:
"-" was stopped, "open" succeeded. The chapter's folder is in it, for reading.
"""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
LIMITS = "--pids-limit 100 --memory 256m"
# The same on all machines: not all have AppArmor, which closes some of these doors once more.
SAME = f"--rm --network none --security-opt apparmor=unconfined -v {HERE}:/attack:ro"

# [walls]
WALLS = {
    "plain": "",  # the only one without LIMITS
    "limits": LIMITS,
    "-devices": f"{LIMITS} --device /dev/kmsg --cap-add SYSLOG",
    "-seccomp": f"{LIMITS} --security-opt seccomp=unconfined",
    "-capabilities": f"{LIMITS} --cap-add ALL",
    "-masks": f"{LIMITS} --security-opt unmask=ALL",
    "-pidns": f"{LIMITS} --pid host",
    "-all": f"{LIMITS} --privileged --pid host",
}
# [/walls]


def main():
    table = {wall: attacked(flags) for wall, flags in WALLS.items()}
    print(" " * 17 + "  ".join(WALLS))
    for name in table["plain"]:
        cells = (f"{table[wall].get(name, '?'):{len(wall)}}" for wall in WALLS)
        print(f"{name:17}" + "  ".join(cells).rstrip())


def attacked(flags):
    """Attack -> "open" or "-"."""
    words = f"minirun run {SAME} {flags} python python3 /attack/attack.py --yes".split()
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[0]: "open" if line.split()[1] == "succeeded" else "-" for line in lines}


if __name__ == "__main__":
    main()
