"""Faults that a drill orders: the next requests to a service are refused, as AWS refuses them in bad times.

curl -X POST ENDPOINT/_local/faults -d '[{"service": "s3", "code": "SlowDown", "remaining": 20}]'
curl -X DELETE ENDPOINT/_local/faults
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from local_stack.aws.errors import error_response
from local_stack.aws.iam.requests import read_aws_request, read_signature

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FAULTS_PATH = "/_local/faults"


@dataclass
class Fault:
    """The next ``remaining`` requests to a service are answered with an error, after ``skip`` have passed.

    ``service`` is the name that requests are signed for (s3, glue, kinesis, elasticmapreduce, ...).
    ``operation`` limits it to one: the HTTP method of S3, the API's name elsewhere. ``path`` has to occur in
    the address. ``status`` and ``code`` make the answer.
    """

    service: str
    operation: str = ""
    path: str = ""
    status: int = 503
    code: str = "SlowDown"
    message: str = "Please reduce your request rate."
    remaining: int = 1
    skip: int = 0

    def hits(self, service: str, operation: str, path: str) -> bool:
        """Whether it is for such a request."""
        return service == self.service and self.operation in ("", operation) and self.path in path


class FaultInjector:
    """The WSGI layer that takes orders and refuses what they say."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._faults: list[Fault] = []
        self._changing = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, or refuse it."""
        if environ["PATH_INFO"] == FAULTS_PATH:
            return self._order(environ, start_response)
        fault = self._next(environ) if self._faults else None
        if fault is None:
            return self._application(environ, start_response)
        # The body is read, or the connection could not be used again.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        return error_response(environ, start_response, HTTPStatus(fault.status), fault.code, fault.message)

    def _next(self, environ: WSGIEnvironment) -> Fault | None:
        signature = read_signature(environ)
        if signature is None:
            return None
        operation = environ["REQUEST_METHOD"]
        if signature.service != "s3":
            operation = read_aws_request(environ, signature.service, "", signature.region).operation
        with self._changing:
            for fault in self._faults:
                if not fault.hits(signature.service, operation, environ["PATH_INFO"]):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    return None
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    def _order(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """POST adds faults (a JSON array), DELETE drops all; the answer says how many wait."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            ordered = [Fault(**each) for each in json.loads(body or b"[]")]
        except (ValueError, TypeError) as error:
            return error_response(
                environ, start_response, HTTPStatus.BAD_REQUEST, "ValidationException", str(error)
            )
        with self._changing:
            self._faults = [] if environ["REQUEST_METHOD"] == "DELETE" else [*self._faults, *ordered]
            payload = json.dumps({"waiting": sum(fault.remaining for fault in self._faults)}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))]
        start_response("200 OK", headers)
        return [payload]
