import socket
import subprocess
import sys

from minirun.learn.attempt import Attempt
from minirun.linux import netlink_route

POD, PORT, DOOR = "192.0.2.7", 48090, 8000
STOCK = f"""
import socketserver, time
class Stock(socketserver.StreamRequestHandler):
    def handle(self):
        count = 0
        for line in self.rfile:
            count += 1
            self.wfile.write(b"7 " + line)
        time.sleep(0.3)  # some answers take longer than the question
        self.wfile.write(b"%d asked\\n" % count)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("{POD}", {PORT}), Stock).serve_forever()
"""


def ask(sock: socket.socket, what: str) -> str:
    sock.sendall(f"{what}\n".encode())
    return sock.recv(100).decode()


def connected(port: int = DOOR, host: str = "127.0.0.1") -> socket.socket:
    sock = socket.create_connection((host, port), timeout=2)
    sock.settimeout(2)
    return sock


def is_answered(port: int = DOOR, host: str = "127.0.0.1") -> bool:
    try:
        with connected(port, host) as sock:
            return ask(sock, "apples") == "7 apples\n"
    except OSError:
        return False


def talk() -> str:
    """Two at once, and the first says that it is done before the answer is complete."""
    with connected() as first:
        ask(first, "apples")
        if not is_answered():
            return "one-at-a-time"
        first.shutdown(socket.SHUT_WR)
        try:
            return "" if first.recv(100) == b"1 asked\n" else "half-closed"
        except OSError:
            return "half-closed"


def check(attempt: Attempt) -> None:
    attempt.host.inside(lambda: netlink_route.add_address("lo", f"{POD}/32"), "net")
    null = subprocess.DEVNULL

    def inside(function, *words):
        return attempt.host.inside(lambda: function(*words), "net")

    def stock() -> subprocess.Popen:
        words = [sys.executable, "-c", STOCK]
        made = attempt.fence.popen(words, str(attempt.folder), {}, stdin=null, stdout=null, stderr=null)
        attempt.until(lambda: inside(is_answered, PORT, POD), "vanished", why="the stock", seconds=20)
        return made

    running = stock()
    with attempt.started(POD, str(PORT)) as program:

        def passes_on() -> bool:
            attempt.expect(program.exists(), "not-passed-on")
            return inside(is_answered)

        attempt.until(passes_on, "not-passed-on", seconds=10)
        attempt.expect(not inside(is_answered, DOOR, POD), "open-to-all", address=POD)
        key = inside(talk)
        attempt.expect(not key, key)
        running.kill()
        running.wait()
        attempt.expect(not inside(is_answered), "vanished", why="the stock is still there")
        stock()
        attempt.expect(inside(is_answered), "dies")
