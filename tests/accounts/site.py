"""A web server that an address leads to: it answers what a test says, and keeps what it saw."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SomeSite:
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.says(200, {"message": "administrator@example.com"})

    def says(self, status: int, body: Any, **headers: str) -> None:
        """`body`: text, or what is written as Frappe writes JSON."""
        self.status, self.headers = status, headers
        self.body = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))


@contextmanager
def some_site() -> Iterator[tuple[str, SomeSite]]:
    """Its address and itself."""
    site = SomeSite()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.seen.append((self.path, dict(self.headers)))
            body = site.body.encode()
            self.send_response(site.status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in site.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", site
        server.shutdown()
        thread.join()
