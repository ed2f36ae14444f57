"""A pod of our own, chapter 11: containers that share a network, a host name and System V IPC.

    python3 pod.py run ROOTFS -- CMD [ARG...] [-- CMD [ARG...]]...

Can now:      start pause, which holds the namespaces; members that join them, and that start again,
              at the same address, when they end with another code than 0; end with pause.
Still lacks:  order, probes, patience (12); chapters 05 to 09. Killed with SIGKILL it leaves nothing.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm"}


# [pod]
def run(rootfs, *words):
    commands = [command.split("\n") for command in "\n".join(words)[3:].split("\n--\n")]
    ready, told = os.pipe()
    pause_pid = in_child(pause, told)
    os.read(ready, 1)
    plug(pause_pid)
    members = {start(rootfs, command, pause_pid): command for command in commands}
    while members:
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        if pid == pause_pid:
            say(f"pause ended with {code}: the pod is over")
            return 1  # and PR_SET_PDEATHSIG ends the members
        command = members.pop(pid)
        say(f"{command[0]}, PID {pid}, ended with {code}")
        if code != 0 and code < 126:  # 126, 127: there is no such program
            members[start(rootfs, command, pause_pid)] = command
    return 0
    # [/pod]


def pause(told):
    """Makes the namespaces of the pod, and does nothing: they live as long as somebody is in them."""
    call("unshare", CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)
    call("prctl", PR_SET_NAME, b"pause")
    socket.sethostname("pod")
    os.write(told, b".")
    signal.pause()


def start(rootfs, command, pause_pid):
    call("unshare", CLONE_NEWPID)  # each member has PIDs of its own: it is PID 1 there
    pid = in_child(member, rootfs, command, pause_pid)
    call("setns", os.open("/proc/self/ns/pid", os.O_RDONLY), CLONE_NEWPID)  # later children: the host's again
    say(f"{command[0]}, PID {pid}, started")
    return pid


# [member]
def member(rootfs, command, pause_pid):
    for kind in ("net", "ipc", "uts"):  # what a pod shares ...
        call("setns", os.open(f"/proc/{pause_pid}/ns/{kind}", os.O_RDONLY), 0)
    call("unshare", CLONE_NEWNS)  # ... and what it does not
    call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
    enter(rootfs)
    os.execvpe(command[0], command, ENVIRONMENT)
    # [/member]


def plug(pid):
    inside = f"nsenter -t {pid} -n ip"
    routes = subprocess.check_output(["ip", "-4", "route"], text=True)
    net = next(f"10.{number}.{pid % 256}" for number in range(88, 256) if f"10.{number}." not in routes)
    for line in f"""ip link add pod{pid} type veth peer name eth0 netns {pid}
        ip address add {net}.1/24 dev pod{pid}
        ip link set pod{pid} up
        {inside} address add {net}.2/24 dev eth0
        {inside} link set group default up""".splitlines():
        subprocess.run(line.split(), check=True)
    say(f"pause, PID {pid}, has the address {net}.2")


def enter(rootfs):
    call("mount", rootfs, rootfs, None, MS_BIND | MS_REC, None)  # only a mount can become a root
    os.chdir(rootfs)
    call("mount", "proc", "proc", "proc", 2 | 4 | 8, None)  # no set-user-ID, no devices, no programs
    call("pivot_root", ".", ".")  # now the old root lies on top of the new one, at the same place
    call("umount2", ".", MNT_DETACH)  # and what lies on top is what goes
    os.chdir("/")


def in_child(function, *arguments):
    if (pid := os.fork()) == 0:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
        function(*arguments)
    return pid


def say(words):
    print(f"pod: {words}", file=sys.stderr, flush=True)


def call(name, *arguments):
    if getattr(libc, name)(*(os.fsencode(a) if isinstance(a, str) else a for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {name}{arguments}")


if __name__ == "__main__":
    if len(sys.argv) < 5 or sys.argv[1] != "run" or sys.argv[3] != "--":
        sys.exit("usage: pod.py run ROOTFS -- CMD [ARG...] [-- CMD [ARG...]]...")
    try:
        sys.exit(run(*sys.argv[2:]))
    except OSError as error:  # a child's too: it ends here, and at once
        say(error)
        os._exit({FileNotFoundError: 127, PermissionError: 126}.get(type(error), 125))  # as a shell does
