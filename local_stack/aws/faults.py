"""Faults that a drill orders: the next requests to a service are refused, as AWS refuses them in bad times.

curl -X POST ENDPOINT/_local/faults -d '[{"service": "s3", "code": "SlowDown", "remaining": 20}]'
curl -X DELETE ENDPOINT/_local/faults

A request may also be held on its way in or out, so that its sender can be killed at that very point.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
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
    the address, ``content`` in the JSON of the parameters (S3 has none). ``status`` and ``code`` make
    the answer.

    With ``is_carried_out`` the request is done first, and its answer is lost. The error comes after
    ``hold_seconds``, or as soon as the faults are dropped.
    """

    service: str
    operation: str = ""
    path: str = ""
    content: str = ""
    status: int = 503
    code: str = "SlowDown"
    message: str = "Please reduce your request rate."
    remaining: int = 1
    skip: int = 0
    is_carried_out: bool = False
    hold_seconds: float = 0.0

    def hits(self, service: str, operation: str, path: str, content: str) -> bool:
        """Whether it is for such a request."""
        is_for = service == self.service and self.operation in ("", operation)
        return is_for and self.path in path and self.content in content


@dataclass
class FaultOrders:
    """The faults that wait, and how many requests they hold at the moment."""

    faults: list[Fault] = field(default_factory=list)
    held: int = 0
    _changing: threading.Condition = field(default_factory=threading.Condition)

    def add(self, faults: Iterable[Fault]) -> None:
        """Order more."""
        with self._changing:
            self.faults += faults

    def drop(self) -> None:
        """Drop all, and let go what is held."""
        with self._changing:
            self.faults.clear()
            self._changing.notify_all()

    def take(self, service: str, operation: str, path: str = "", content: str = "") -> Fault | None:
        """The fault that hits such a request, if any; it counts as used."""
        with self._changing:
            for fault in self.faults:
                if not fault.hits(service, operation, path, content):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    return None
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def hold(self, seconds: float) -> None:
        """Wait, counted as held, until the faults are dropped or the time is over."""
        with self._changing:
            self.held += 1
            self._changing.wait(seconds)
            self.held -= 1

    @property
    def counts(self) -> dict[str, int]:
        """How many wait, and how many requests are held."""
        with self._changing:
            return {"waiting": sum(fault.remaining for fault in self.faults), "held": self.held}


ORDERS = FaultOrders()
"""Those of this process: the services' own workers look here, too."""


class FaultInjector:
    """The WSGI layer that takes orders and refuses what they say."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, or refuse it."""
        if environ["PATH_INFO"] == FAULTS_PATH:
            return _order(environ, start_response)
        fault = _fault_for(environ) if ORDERS.faults else None
        if fault is None:
            return self._application(environ, start_response)
        if fault.is_carried_out:
            list(self._application(environ, lambda *_: lambda _: None))
        else:
            # The body is read, or the connection could not be used again.
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if fault.hold_seconds:
            ORDERS.hold(fault.hold_seconds)
        return error_response(environ, start_response, HTTPStatus(fault.status), fault.code, fault.message)


def _fault_for(environ: WSGIEnvironment) -> Fault | None:
    signature = read_signature(environ)
    if signature is None:
        return None
    if signature.service == "s3":
        return ORDERS.take("s3", environ["REQUEST_METHOD"], environ["PATH_INFO"])
    request = read_aws_request(environ, signature.service, "", signature.region)
    content = json.dumps(request.parameters)
    return ORDERS.take(signature.service, request.operation, environ["PATH_INFO"], content)


def _order(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """POST adds faults (a JSON array), DELETE drops all; the answer says how many wait, and what is held."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        ordered = [Fault(**each) for each in json.loads(body or b"[]")]
    except (ValueError, TypeError) as error:
        return error_response(
            environ, start_response, HTTPStatus.BAD_REQUEST, "ValidationException", str(error)
        )
    if environ["REQUEST_METHOD"] == "DELETE":
        ORDERS.drop()
    ORDERS.add(ordered)
    payload = json.dumps(ORDERS.counts).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))]
    start_response("200 OK", headers)
    return [payload]
