import subprocess
import sys
import urllib.error
import urllib.request

from minirun.learn.attempt import Attempt
from minirun.linux import netlink_route

POD = "192.0.2.7"
SHOP = """
import http.server
class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(open("numbers").read().encode())
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", 8080), Shop).serve_forever()
"""


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except (OSError, ValueError) as error:
        return 0, str(error)


def check(attempt: Attempt) -> None:
    attempt.host.inside(lambda: netlink_route.add_address("lo", f"{POD}/32"), "net")
    numbers = attempt.folder / "numbers"
    numbers.write_text("orders=2; apples=1")
    null = subprocess.DEVNULL
    words = [sys.executable, "-c", SHOP]
    shop = attempt.fence.popen(words, str(attempt.folder), {}, stdin=null, stdout=null, stderr=null)

    def get(url: str) -> tuple[int, str]:
        return tuple(attempt.host.inside(lambda: fetch(url), "net"))

    attempt.until(lambda: get("http://127.0.0.1:8080/")[0] == 200, "vanished", why="the shop", seconds=20)
    with attempt.started() as program:
        metrics = "http://127.0.0.1:9100/metrics"

        def answers() -> bool:
            attempt.expect(program.exists(), "does-not-answer")
            return get(metrics)[0] != 0

        attempt.until(answers, "does-not-answer", seconds=10)
        outside = get(f"http://{POD}:9100/metrics")
        attempt.expect(outside[0], "only-localhost", address=POD, why=outside[1])
        attempt.expect(right(outside[1], 2, 1), "not-translated", said=outside[1].strip())
        numbers.write_text("orders=5; apples=3")
        later = get(metrics)[1]
        attempt.expect(right(later, 5, 3), "stale", said=later.strip())
        shop.kill()
        shop.wait()
        code = get(metrics)[0]
        attempt.expect(code == 503, "no-503", code=code or "nothing at all")


def right(text: str, orders: int, apples: int) -> bool:
    lines = text.splitlines()
    wanted = {"shop_orders_total": orders, "shop_apples_total": apples}
    typed = all(f"# TYPE {name} counter" in lines for name in wanted)
    return typed and all(f"{name} {value}" in lines for name, value in wanted.items())
