"""A kubelet of our own, chapter 12: the life of a pod, from its first container to its last.

    python3 kubelet.py ROOTFS POD.json [FASTER]        FASTER: by how much all seconds are shorter

Can now:      by pod.py of chapter 11, beside it: init containers one after the other, then the rest;
              back-off; liveness by exec; SIGTERM, grace, SIGKILL.
Still lacks:  readiness, sidecars, hooks, images, volumes. Killed with SIGKILL it leaves nothing.
"""

import json
import os
import signal
import sys
import time

import pod

SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


class Container:  # with what is due for it, and when: to start, to probe, to kill
    def __init__(self, spec, again):
        self.name, self.command, self.alive = spec["name"], spec["command"], spec.get("livenessProbe", {})
        self.again = again  # by its exit code
        self.pid, self.code, self.restarts, self.failures = 0, None, 0, 0
        self.due = {"start": 0.0}

    def start(self):
        self.pid, self.failures = pod.start(rootfs, self.command, pause_pid), 0
        if self.alive:
            self.due["probe"] = later(self.alive.get("periodSeconds", 10))

    # [probe]
    def probe(self):
        """Alive is who answers: a program in its namespaces ends with 0, within a second."""
        child = pod.in_child(enter_and_execute, self.pid, self.alive["exec"]["command"])
        self.failures = self.failures + 1 if os.waitpid(child, 0)[1] else 0
        self.due["probe"] = later(self.alive.get("periodSeconds", 10))
        if self.failures >= self.alive.get("failureThreshold", 3):
            pod.say(f"{self.name}: {self.failures} probes have failed")
            self.stop()

    # [/probe]
    def stop(self):
        os.kill(self.pid, signal.SIGTERM)  # PID 1 does not even notice what it does not handle, hence:
        self.due = {"kill": later(grace)}

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    # [back-off]
    def ended(self, code):
        """The first restart comes at once, the next ones after 10, 20, 40 ... 300 seconds."""
        self.pid, self.code, self.due = 0, code, {}
        wait = min(10 * 2 ** (self.restarts - 1), 300) if self.restarts else 0
        if not self.again(code):
            return pod.say(f"{self.name}: ended with {code}")
        self.restarts, self.due["start"] = self.restarts + 1, later(wait)
        return pod.say(f"{self.name}: ended with {code}; restart {self.restarts} in {wait} s")
        # [/back-off]


def enter_and_execute(pid, command):
    for kind in ("net", "ipc", "uts", "mnt"):
        pod.call("setns", os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY), 0)
    signal.alarm(1)  # exec keeps it
    os.execvpe(command[0], command, pod.ENVIRONMENT)


def later(seconds):
    return time.monotonic() + seconds / faster


# [loop]
def live(containers):
    while any(each.pid or each.due for each in containers):
        now = time.monotonic()
        for each in containers:
            for event in [event for event, at in each.due.items() if at <= now]:
                if each.due.pop(event, None) is not None:
                    getattr(each, event)()
        soonest = min((at for each in containers for at in each.due.values()), default=now + 60)
        told = signal.sigtimedwait(SIGNALS, max(0, soonest - time.monotonic()))
        if told and told.si_signo != signal.SIGCHLD:
            for each in containers:
                each.again, each.due = (lambda code: False), {}
                if each.pid:
                    each.stop()
        while (dead := os.waitpid(-1, os.WNOHANG))[0]:
            if dead[0] == pause_pid:
                sys.exit("kubelet: pause has ended, so the pod has")
            for each in containers:
                if each.pid == dead[0]:
                    each.ended(os.waitstatus_to_exitcode(dead[1]))
    return all(each.code == 0 for each in containers)
    # [/loop]


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: kubelet.py ROOTFS POD.json [FASTER]")
    rootfs, faster = sys.argv[1], float((*sys.argv, 1)[3])
    spec = json.load(open(sys.argv[2]))["spec"]
    policy, grace = spec.get("restartPolicy", "Always"), spec.get("terminationGracePeriodSeconds", 30)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # live() asks for them
    os.register_at_fork(after_in_child=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS))
    os.register_at_fork(after_in_child=os.setsid)  # the signals of a terminal are for us
    try:
        ready, made = os.pipe()
        pause_pid = pod.in_child(pod.pause, made)
        os.read(ready, 1)
        pod.plug(pause_pid)
        for each in spec.get("initContainers", []):
            if not live([Container(each, lambda code: code != 0 and policy != "Never")]):
                sys.exit(1)
        again = {"Always": lambda code: True, "OnFailure": bool, "Never": lambda code: False}[policy]
        sys.exit(not live([Container(each, again) for each in spec["containers"]]))
    except OSError as error:  # a child's too: it ends here, and at once
        pod.say(error)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))
