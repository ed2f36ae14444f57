"""A runtime that listens: `python3 serve.py SOCKET ROOTFS`."""

import socket
import sys

import conversation

path, rootfs = sys.argv[1:]
made = []  # conversation's verbs note here what they have made
server = socket.socket(socket.AF_UNIX)
server.bind(path)
# Who may write to this file is root on this machine. And for each connection: a line of JSON comes, as
# {"verb": "RunPodSandbox", "hostname": "web"}, and one goes, what the verb gives back.
raise NotImplementedError("RunPodSandbox, CreateContainer, StartContainer, RemovePodSandbox")
