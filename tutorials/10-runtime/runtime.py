"""A container runtime of our own, chapter 10: in steps, as OCI wants them.

    python3 runtime.py create BUNDLE ID | start ID | state ID | kill ID SIGNAL | delete ID
    python3 runtime.py run ROOTFS CMD [ARG...]

Can now:      let others act between create and start. Left out: chapters 05 to 09, lo, /sys, /dev.
Still lacks:  of config.json all but process.args env cwd user, root.path, hostname, linux.namespaces;
              a monitor that keeps the exit code. Killed with SIGKILL `run` leaves what it made.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import warnings  # noqa: F401 (execvpe needs it, and would look for it in the new root)

libc = ctypes.CDLL(None, use_errno=True)
NEW = {"mount": 0x20000, "pid": 0x20000000, "network": 0x40000000, "uts": 0x4000000, "ipc": 0x8000000}
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
PATH, STATE = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "/run/minirun-learn"
undo = contextlib.ExitStack()  # what is to be taken back if all does not go well


def run(rootfs, *command):
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    process = {"args": command, "env": [PATH, "HOME=/root"], "cwd": "/", "user": {"uid": 0, "gid": 0}}
    config = {"process": process, "root": {"path": "."}, "hostname": "container"}
    config["linux"] = {"namespaces": [{"type": kind} for kind in NEW]}
    name = f"run-{os.getpid()}"
    create(rootfs, name, config)
    undo.callback(delete, name)
    start(name)
    code = os.waitstatus_to_exitcode(os.waitpid(state(name)["pid"], 0)[1])
    return code if code >= 0 else 128 - code  # killed by a signal: 128 and its number


# [create]
def create(bundle, name, config=None):  # all but the program, whose process waits at the gate
    config = config or json.load(open(f"{bundle}/config.json"))
    home = f"{STATE}/{name}"
    os.makedirs(home)  # fails if it is there: an ID is given once
    undo.callback(shutil.rmtree, home)
    os.mkfifo(f"{home}/gate")
    reading, writing = os.pipe()
    for space in config["linux"]["namespaces"]:  # fork takes them along; that of mounts is the child's
        if "path" in space:
            call("setns", os.open(space["path"], os.O_RDONLY), NEW[space["type"]])
        elif space["type"] != "mount":
            call("unshare", NEW[space["type"]])
    if (pid := os.fork()) == 0:
        undo.pop_all()
        container(bundle, config, os.open(f"{home}/gate", os.O_RDWR), writing)
    os.close(writing)  # the child alone can write now, so that its death is heard
    if not os.read(reading, 1):
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    about = {"ociVersion": "1.0.2", "id": name, "pid": pid, "bundle": os.path.abspath(bundle)}
    json.dump(about, open(f"{home}/state.json", "w"))
    undo.pop_all()
    # [/create]


def container(bundle, config, gate, ready):
    call("unshare", NEW["mount"])
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    if {"type": "uts"} in config["linux"]["namespaces"]:  # a new one, not that of another
        socket.sethostname(config["hostname"])
    rootfs, process = os.path.join(bundle, config["root"]["path"]), config["process"]
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    call("mount", "proc", "proc", "proc", 2 | 4 | 8, None)  # no set-user-ID, no devices, no programs
    call("pivot_root", ".", ".")  # now the old root lies on top of the new one, at the same place
    call("umount2", ".", MNT_DETACH)  # and what lies on top is what goes
    os.chdir(process["cwd"])
    os.write(ready, b"created")
    os.read(gate, 1)  # until `start` writes
    os.setgroups([])
    os.setgid(process["user"]["gid"])
    os.setuid(process["user"]["uid"])  # the last one: after it we may not do the others
    os.execvpe(process["args"][0], process["args"], dict(each.split("=", 1) for each in process["env"]))


def start(name):
    os.write(os.open(f"{STATE}/{name}/gate", os.O_WRONLY | os.O_NONBLOCK), b"start")
    os.unlink(f"{STATE}/{name}/gate")


def state(name):
    about = json.load(open(f"{STATE}/{name}/state.json"))
    if not os.path.exists(f"/proc/{about['pid']}/ns/mnt"):  # not even a zombie has namespaces
        return about | {"pid": 0, "status": "stopped"}
    return about | {"status": "created" if os.path.exists(f"{STATE}/{name}/gate") else "running"}


def kill(name, number):
    if pid := state(name)["pid"]:
        os.kill(pid, getattr(signal, f"SIG{number}"))


def delete(name):
    kill(name, "KILL")
    shutil.rmtree(f"{STATE}/{name}")


def call(name, *arguments):
    if getattr(libc, name)(*(os.fsencode(a) if isinstance(a, str) else a for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {name}{arguments}")


if __name__ == "__main__":
    try:
        with undo:
            answer = globals()[sys.argv[1]](*sys.argv[2:])  # a verb is a function
            sys.exit(print(json.dumps(answer)) if isinstance(answer, dict) else answer)
    except OSError as error:  # a child's too: it ends here, and at once
        print(f"runtime: {error}", file=sys.stderr)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
