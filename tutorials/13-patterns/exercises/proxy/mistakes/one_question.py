# wrong: not-passed-on
import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as server:
    server.sendall(b"apples\n")
    print(server.recv(65536).decode())
