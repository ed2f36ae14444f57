# wrong: half-closed
import socket
import sys
import threading

host, port = sys.argv[1], int(sys.argv[2])


def copy(source, target):
    try:
        while block := source.recv(65536):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    with client:
        try:
            server = socket.create_connection((host, port))
        except OSError:
            return
        with server:
            answer = threading.Thread(target=copy, args=(server, client), daemon=True)
            answer.start()
            copy(client, server)


with socket.create_server(("127.0.0.1", 8000)) as door:
    while True:
        client, _ = door.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()
