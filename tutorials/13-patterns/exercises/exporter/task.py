"""An adapter: GET /metrics at port 9100 tells what the shop says at port 8080. `python3 exporter.py`."""

import http.server

SHOP = "http://localhost:8080/numbers"  # orders=2; apples=1


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # urllib.request.urlopen(url) asks; self.send_response(code), self.end_headers() and
        # self.wfile.write(bytes) answer.
        raise NotImplementedError("ask the shop, and say it in Prometheus' words")


# http.server.ThreadingHTTPServer((where, port), Metrics) is a server: where should it listen?
raise NotImplementedError("serve for ever, at port 9100")
