"""moto over real HTTP in this process, behind a door that can lose answers and notes what was asked."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Literal
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
from moto.emr.models import ElasticMapReduceBackend, emr_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ACCOUNT = "123456789012"
REGION = "us-east-1"
"""moto reads EMR's region from the host's name; from 127.0.0.1 it takes this one, whatever a client says."""

Fault = Literal["never arrives", "throttled", "answer lost", "internal error"]
"""The first two happen before the call takes effect, the last two after."""


@dataclass
class LossyAws:
    """Tests set ``faults`` and read ``calls``.

    ``faults`` is, by operation, what shall happen to its next calls; None lets one pass.
    """

    endpoint: str = ""
    faults: dict[str, list[Fault | None]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI: pass the request on to moto, then spoil the answer if a fault waits for it."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if not target.startswith("ElasticMapReduce."):
            return self._moto(environ, start_response)
        operation = target.rpartition(".")[2]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.calls.append((operation, json.loads(body)))
        if operation == "CancelSteps":  # moto has none
            return self._cancel_steps(json.loads(body), start_response)
        waiting = self.faults.get(operation, [])
        fault = waiting.pop(0) if waiting else None
        if fault == "never arrives":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        if fault == "throttled":
            start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
            return [b'{"__type": "ThrottlingException", "message": "Rate exceeded"}']
        environ["wsgi.input"] = io.BytesIO(body)
        answer = self._moto(environ, start_response)
        if fault == "internal error":
            start_response("500 Internal Server Error", [])
            return [b""]
        if fault == "answer lost":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    def _cancel_steps(self, asked: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        for step in self.emr.clusters[asked["ClusterId"]].steps:
            if step.id in asked["StepIds"]:
                step.state = "CANCELLED"
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
        return [b'{"CancelStepsInfoList": []}']

    def called(self, operation: str) -> list[dict[str, Any]]:
        """Requests of one EMR operation, in order."""
        return [request for name, request in self.calls if name == operation]

    @property
    def emr(self) -> ElasticMapReduceBackend:
        """moto's EMR, whose clusters and steps a test may put into any state."""
        return emr_backends[ACCOUNT][REGION]

    @property
    def cluster(self) -> Any:
        """The only cluster, as moto keeps it."""
        (cluster,) = self.emr.clusters.values()
        return cluster

    @property
    def cluster_states(self) -> list[str]:
        """States of all clusters ever made, in order of their making."""
        clusters = sorted(self.emr.clusters.values(), key=lambda cluster: cluster.creation_datetime)
        return [cluster.state for cluster in clusters]

    def reset(self) -> None:
        """Forget everything."""
        httpx.post(f"{self.endpoint}/moto-api/reset", timeout=60).raise_for_status()
        self.faults.clear()
        self.calls.clear()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def run_lossy_aws() -> Iterator[LossyAws]:
    """Serve it on a free port."""
    aws = LossyAws()
    server = make_server("127.0.0.1", 0, aws, threaded=True, request_handler=_Quiet)
    aws.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield aws
    finally:
        server.shutdown()
        thread.join()
