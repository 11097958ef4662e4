"""The one process of the emulated AWS: it listens on loopback, works, and saves its state when stopped."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local_stack.aws import services, state
from local_stack.aws.console import Console
from local_stack.aws.context import ServerContext, Worker
from local_stack.aws.dispatch import Dispatcher
from local_stack.aws.faults import FaultInjector
from local_stack.aws.iam.guard import Guard
from local_stack.aws.listener import HOST
from local_stack.aws.s3.ranges import RangeReader
from local_stack.aws.stop_signal import StopSignal
from local_stack.aws.wsgi import ErrorBoundary, Gate

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0


class RequestHandler(MotoRequestHandler):
    """Takes chunked bodies, as SDKs send them, and sends small answers at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True


def serve(listener: socket.socket, state_dir: Path, region: str, *, fresh: bool) -> None:
    """Run until SIGTERM or SIGINT, then stop the workers, save the state and return.

    Once it serves, one line of JSON on standard output says where: ``endpoint``, ``port``, ``pid``.

    Raises:
        StateError: the state could not be saved.
    """
    stop_signal = StopSignal()
    port = listener.getsockname()[1]
    state_dir.mkdir(parents=True, exist_ok=True)
    context = ServerContext(endpoint=f"http://{HOST}:{port}", state_dir=state_dir.resolve(), region=region)
    workers = services.install_all(context)
    if not fresh and state.load(context.state_dir):
        log.info("Loaded the state of %s", context.state_dir)

    details = {"endpoint": context.endpoint, "region": region, "workers": _names(workers)}
    emulated = ErrorBoundary(FaultInjector(Guard(RangeReader(Dispatcher()))))
    gate = Gate(Console(emulated, context.endpoint, region), lambda: details)
    server = make_server(
        HOST, port, gate, threaded=True, request_handler=RequestHandler, fd=listener.fileno()
    )
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    for worker in workers:
        worker.start()
    print(json.dumps({"endpoint": context.endpoint, "port": port, "pid": os.getpid()}), flush=True)

    stop_signal.wait()
    log.info("Stopping")
    # Workers first: what they finish may need to be served.
    for worker in reversed(workers):
        _stop(worker)
    if not gate.close(DRAIN_SECONDS):
        log.warning("Some requests were still running after %.0f s", DRAIN_SECONDS)
    server.shutdown()
    listener.close()
    path = state.save(context.state_dir)
    log.info("Saved the state to %s (%.1f MB)", path, path.stat().st_size / 1e6)


def _names(workers: Iterable[Worker]) -> list[str]:
    return [type(worker).__name__ for worker in workers]


def _stop(worker: Worker) -> None:
    try:
        worker.stop()
    except Exception:
        # The others must still flush, and the state must still be saved.
        log.exception("%s did not stop cleanly", type(worker).__name__)
