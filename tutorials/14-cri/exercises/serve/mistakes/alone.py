# wrong: not-together
import json
import os
import socket
import sys

import conversation

path, rootfs = sys.argv[1:]
made = []


def answer(verb, **request):
    if verb == "RunPodSandbox":
        return conversation.run_pod_sandbox(made, rootfs, **request)
    if verb == "CreateContainer":
        name = f"{request['name']}-{os.getpid()}"
        conversation.create(made, rootfs, name, request["command"], {"network": ""})
        return {"container_id": name}
    if verb == "StartContainer":
        return conversation.start_container(**request)
    if verb == "RemovePodSandbox":
        while made:
            conversation.runtime("delete", made.pop())
        return {}
    return {"error": f"no such verb: {verb}"}


server = socket.socket(socket.AF_UNIX)
os.umask(0o077)
server.bind(path)
server.listen()
while True:
    connection, _ = server.accept()
    with connection, connection.makefile("rw") as stream:
        for line in stream:
            stream.write(json.dumps(answer(**json.loads(line))) + "\n")
            stream.flush()
