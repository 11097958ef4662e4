"""A server that speaks Trino's protocol by script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from local_stack.trino.server import CATALOG
from tests.support.http_server import serving


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

    with serving(Handler) as url:
        yield url
