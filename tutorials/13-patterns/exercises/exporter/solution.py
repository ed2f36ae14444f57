import http.server
import urllib.request

SHOP = "http://localhost:8080/numbers"


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with urllib.request.urlopen(SHOP, timeout=1) as answer:
                numbers = answer.read().decode()
        except OSError:
            self.send_error(503)
            return
        lines = []
        for pair in numbers.split(";"):
            name, value = pair.strip().split("=")
            lines += [f"# TYPE shop_{name}_total counter", f"shop_{name}_total {value}"]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write("".join(f"{line}\n" for line in lines).encode())


http.server.ThreadingHTTPServer(("", 9100), Metrics).serve_forever()
