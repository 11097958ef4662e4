"""The outermost WSGI layers: health, an error boundary, and a gate that closes for the clean stop."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.model import OperationNotFoundError

from local_stack.aws.errors import NotEmulatedError, error_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

HEALTH_PATH = "/_local/health"
"""Answers 200 with JSON once the process serves, 503 once it stops. No bucket can have such a name."""


class ErrorBoundary:
    """Turns what escapes moto into answers that name the failure.

    An operation that is not emulated is a 501, which SDKs do not retry; anything else a 500 with the
    exception, its traceback in the log.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        try:
            return self._application(environ, start_response)
        except (NotEmulatedError, NotImplementedError, OperationNotFoundError) as error:
            log.warning("%s %s: %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], error)
            code = "NotImplemented"
            return error_response(environ, start_response, HTTPStatus.NOT_IMPLEMENTED, code, str(error))
        except Exception as error:
            log.exception("%s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            message = f"The emulated AWS failed: {type(error).__name__}: {error}"
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return error_response(environ, start_response, status, "InternalFailure", message)


class Gate:
    """Counts the requests in flight; once closed, it answers 503 and lets those finish.

    Stopping the listener alone would leave kept-alive connections writing into state that is being saved.
    """

    def __init__(self, application: WSGIApplication, describe: Callable[[], dict[str, Any]]) -> None:
        """``describe`` gives the details of the health answer."""
        self._application = application
        self._describe = describe
        self._in_flight = 0
        self._is_open = True
        self._changed = threading.Condition()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, or refuse it."""
        if environ["PATH_INFO"] == HEALTH_PATH:
            return self._health(start_response)
        with self._changed:
            if self._is_open:
                self._in_flight += 1
            else:
                message = "The emulated AWS is stopping"
                status = HTTPStatus.SERVICE_UNAVAILABLE
                return error_response(environ, start_response, status, "ServiceUnavailable", message)
        try:
            # Flask's answers are complete when it returns, so the request ends here.
            return self._application(environ, start_response)
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def close(self, timeout_seconds: float) -> bool:
        """Let nobody in any more and wait for the requests in flight; False if some are still running."""
        with self._changed:
            self._is_open = False
            return self._changed.wait_for(lambda: self._in_flight == 0, timeout_seconds)

    def _health(self, start_response: StartResponse) -> Iterable[bytes]:
        status = HTTPStatus.OK if self._is_open else HTTPStatus.SERVICE_UNAVAILABLE
        answer = {"status": "ready" if self._is_open else "stopping", **self._describe()}
        payload = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [payload]
