"""Keeps one delivery running for each delivery stream there is."""

from __future__ import annotations

import logging
import threading

from moto.firehose.models import DeliveryStream, firehose_backends

from local_stack.aws.firehose.delivery import Delivery

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
STOP_SECONDS = 30.0


class FirehoseWorker:
    """Starts a delivery when a delivery stream appears, or has lost its own; ends it with the stream."""

    def __init__(self) -> None:
        self._deliveries: dict[int, Delivery] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="firehose", daemon=True)

    def start(self) -> None:
        """Begin to look for delivery streams."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is buffered; what cannot be delivered now is saved with the state."""
        self._stopped.set()
        self._thread.join()
        for delivery in self._deliveries.values():
            delivery.stop(STOP_SECONDS)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopped.wait(POLL_SECONDS)  # a last look: streams may be new
            try:
                self._match_streams()
            except Exception:
                log.exception("Looking for delivery streams failed, it is tried again")

    def _match_streams(self) -> None:
        present: dict[int, tuple[str, str, DeliveryStream]] = {
            id(stream): (account_id, region, stream)
            for account_id, region, backend in list(firehose_backends.iter_backends())
            for stream in list(backend.delivery_streams.values())
            if {"S3", "ExtendedS3"} & stream.destinations[0].keys()
        }
        for identity in self._deliveries.keys() - present.keys():
            self._deliveries.pop(identity).abandon()
        for identity in [one for one, delivery in self._deliveries.items() if not delivery.is_alive]:
            del self._deliveries[identity]
        for identity in present.keys() - self._deliveries.keys():
            delivery = Delivery(*present[identity])
            self._deliveries[identity] = delivery
            delivery.start()
