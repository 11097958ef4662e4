"""What the emulated AWS answers when it cannot serve a request, in the form the caller's SDK reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class NotEmulatedError(NotImplementedError):
    """A service or an operation that the emulation does not have."""

    def __init__(self, service: str, operation: str) -> None:
        self.service = service
        self.operation = operation
        super().__init__(f"{service}:{operation} is not emulated")


def error_response(
    environ: WSGIEnvironment, start_response: StartResponse, status: HTTPStatus, code: str, message: str
) -> Iterable[bytes]:
    """Answer with an AWS error of the protocol that the request speaks.

    ``code`` is what SDKs show as the error's code. JSON services send ``X-Amz-Target`` or a JSON
    body, query services a form, and S3 neither.
    """
    content_type = environ.get("CONTENT_TYPE", "")
    if "HTTP_X_AMZ_TARGET" in environ or "json" in content_type:
        kind = "application/x-amz-json-1.1"
        body = json.dumps({"__type": code, "message": message})
    else:
        kind = "text/xml"
        error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        is_query = content_type.startswith("application/x-www-form-urlencoded")
        body = f"<ErrorResponse>{error}</ErrorResponse>" if is_query else error
    payload = body.encode()
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(payload))),
        ("x-amzn-ErrorType", code),
    ]
    start_response(f"{status.value} {status.phrase}", headers)
    return [payload]
