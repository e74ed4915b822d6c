"""A collector of OTLP over HTTP that takes everything and keeps nothing; prints its URL."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers 200, and keeps the connection as collectors do."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take what a service sends."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name it has
        """Say nothing."""
        del format, args


with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
