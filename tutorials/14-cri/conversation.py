"""What the kubelet says to a runtime, for a pod of two containers; and a runtime that does it.

    python3 conversation.py ROOTFS

The three verbs of CRI (k8s.io/cri-api, runtime.v1) as functions over the runtime of chapter 10,
which lies beside this file: a sandbox is a container too, and what it shares is joined by path.
CRI is gRPC over a Unix socket; here a call is a call. Everything is removed at the end.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile

RUNTIME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtime.py")
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"


def main(rootfs):
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    rootfs = os.path.abspath(rootfs)
    made = []
    try:
        # [conversation]
        sandbox = ask(run_pod_sandbox, made, rootfs, hostname="web")
        for name, command in (("app", ["sleep", "60"]), ("log", ["sleep", "61"])):
            container = ask(create_container, made, rootfs, sandbox=sandbox, name=name, command=command)
            ask(start_container, container=container)
        # [/conversation]
        shared(made)
    finally:  # StopPodSandbox and RemovePodSandbox; the last one made goes first
        for name in reversed(made):
            runtime("delete", name)


def ask(verb, *arguments, **request):
    """Prints the call and the answer, as a trace of the kubelet would."""
    call = "".join(word.capitalize() for word in verb.__name__.split("_"))
    print(f"-> {call}Request {json.dumps(request)}", flush=True)
    answer = verb(*arguments, **request)
    print(f"<- {call}Response {json.dumps(answer)}", flush=True)
    return next(iter(answer.values()), None)


# [verbs]
def run_pod_sandbox(made, rootfs, hostname):
    """Makes the namespaces of the pod and starts who holds them: pause, here a sleep without end."""
    name = f"sandbox-{os.getpid()}"
    create(made, rootfs, name, ["sleep", "infinity"], {"network": "", "ipc": "", "uts": ""}, hostname)
    runtime("start", name)  # here CNI would have been called, with the path of the network namespace
    return {"pod_sandbox_id": name}


def create_container(made, rootfs, sandbox, name, command):
    """As good as running: what can fail has been done, or has failed."""
    pid = state(sandbox)["pid"]
    name = f"{name}-{os.getpid()}"
    spaces = {kind: f"/proc/{pid}/ns/{kind[:3]}" for kind in ("network", "ipc", "uts")}
    create(made, rootfs, name, command, spaces)
    return {"container_id": name}


def start_container(container):
    runtime("start", container)
    return {}
    # [/verbs]


def create(made, rootfs, name, command, spaces, hostname=None):
    namespaces = [{"type": kind, "path": path} if path else {"type": kind} for kind, path in spaces.items()]
    config = {
        "process": {"args": command, "env": [PATH], "cwd": "/", "user": {"uid": 0, "gid": 0}},
        "root": {"path": rootfs},
        "hostname": hostname,
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, *namespaces]},
    }
    with tempfile.TemporaryDirectory() as bundle:
        with open(f"{bundle}/config.json", "w") as file:
            json.dump(config, file)
        runtime("create", bundle, name)
    made.append(name)


def state(name):
    return json.loads(runtime("state", name))


def shared(made):
    """The proof: one network for all, a PID namespace for each."""
    for name in made:
        pid = state(name)["pid"]
        print(f"{name}:", *(os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "uts", "ipc", "pid")))


def runtime(*words):
    # The process that it leaves behind must not hold our pipe: its output goes where ours does.
    done = subprocess.run(
        [sys.executable, RUNTIME, *words], check=True, stdout=subprocess.PIPE if words[0] == "state" else None
    )
    return done.stdout


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: conversation.py ROOTFS")
    try:
        main(sys.argv[1])
    except subprocess.CalledProcessError as error:
        sys.exit(f"conversation: {error}")
