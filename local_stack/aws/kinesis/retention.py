"""Drops what a stream's retention period no longer covers."""

from __future__ import annotations

import logging
import threading
import time

from moto.kinesis.models import kinesis_backends

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0


def trim_expired(now: float) -> int:
    """Drop the expired records of every stream; returns how many."""
    expired = 0
    for _, _, backend in list(kinesis_backends.iter_backends()):
        for stream in list(backend.streams.values()):
            for shard in list(stream.shards.values()):
                expired += shard.trim(now - stream.retention_period_hours * 3600)
    return expired


class RetentionWorker:
    """Trims once a minute."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kinesis-retention", daemon=True)

    def start(self) -> None:
        """Begin to trim."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            if expired := trim_expired(time.time()):
                log.info("%d expired records dropped", expired)
