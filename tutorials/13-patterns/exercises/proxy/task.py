"""An ambassador: what connects to localhost:8000 talks to HOST:PORT. `python3 proxy.py HOST PORT`."""

import sys

host, port = sys.argv[1], int(sys.argv[2])
# socket.create_server((where, 8000)), .accept(), socket.create_connection((host, port)); .recv(65536)
# gives b"" at the end of what the other side says, .shutdown(socket.SHUT_WR) says that it is ours.
raise NotImplementedError("both directions at once, and several connections at once")
