"""A server that speaks Trino's protocol by script."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from local_stack.trino.server import CATALOG


@pytest.fixture
def answers() -> dict[str, dict[str, Any]]:
    """What the scripted server answers, by path."""
    return {}


@pytest.fixture
def server(answers: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A server that speaks Trino's protocol by script."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["X-Trino-Catalog"] == CATALOG
            self.do_GET()

        def do_DELETE(self) -> None:
            answers[self.path] = {"error": {"errorName": "USER_CANCELED", "message": "Query was canceled"}}
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()
