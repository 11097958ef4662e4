"""Delivery by PutRecords: several batches in flight, and every record accounted for.

A record is acknowledged, or sent again, or given up; never forgotten. Only the records that
failed are sent again, with exponential backoff and full jitter. Throttling is waited out for
as long as it lasts. Any other failure is waited out for ``patience`` seconds without progress,
then the batch is given up. A call without an answer may have stored its records: they are sent
again all the same, and marked as possible duplicates. The order of records is not kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,
    HTTPClientError,
)
from botocore.parsers import ResponseParserError
from tenacity import RetryCallState, Retrying, retry_if_result, wait_random_exponential
from tenacity.nap import sleep_using_event

from kinesis.ledger import Ledger
from kinesis.pacing import Pacer
from kinesis.records import Record
from kinesis.tally import Tally

MAX_BATCH_RECORDS = 500
MAX_RECORD_BYTES = 1 << 20
MAX_BATCH_BYTES = 5 << 20
"""PutRecords takes 500 records; a record 1 MiB unless the stream allows more. Twice the batch's
bytes are allowed today: half of it stays within every limit that a stream may have."""

IN_FLIGHT = 4
"""Calls at once: enough to cover the round trip, few enough to keep throttled batches few."""

PATIENCE_SECONDS = 300.0

CLIENT_CONFIG = Config(
    retries={"total_max_attempts": 1},
    max_pool_connections=IN_FLIGHT,
    parameter_validation=False,
    connect_timeout=5,
    read_timeout=30,
    tcp_keepalive=True,
)
"""botocore's own retries would hide unknown outcomes from the count; its validation of 500 well
formed records costs as much as the rest of the call."""

_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "KMSThrottlingException",
        "LimitExceededException",
        "ThrottlingException",
    }
)


class DeliveryError(Exception):
    """Delivery cannot go on: sending again would not help. The message says why."""


@dataclass
class _Batch:
    """Records on their way; ``pending`` shrinks as they are acknowledged."""

    pending: list[Record]
    last_progress: float
    doubtful: bool = False
    attempts: int = 0
    trouble: str = ""


class Delivery:
    """Sends batches to one stream from a few threads.

    ``client`` is a Kinesis client made with ``CLIENT_CONFIG``.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        pacer: Pacer,
        ledger: Ledger,
        tally: Tally,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._stream = stream
        self._pacer = pacer
        self._ledger = ledger
        self._tally = tally
        self._patience = patience
        self._clock = clock
        self._abandoned = threading.Event()
        self._failure: Exception | None = None
        self._slots = threading.BoundedSemaphore(IN_FLIGHT)
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="delivery")

    def send(self, records: list[Record]) -> None:
        """Take a batch over, waiting while ``IN_FLIGHT`` others are under way.

        At most ``MAX_BATCH_RECORDS`` records of together ``MAX_BATCH_BYTES``.

        Raises:
            DeliveryError: an earlier batch failed for good; this one was not taken.
        """
        self._slots.acquire()
        if self._failure is not None:
            self._slots.release()
            raise self._as_error()
        self._tally.take(records)
        self._pool.submit(self._deliver, records)

    def finish(self) -> None:
        """Wait until nothing is in flight.

        Raises:
            DeliveryError: a batch failed for good.
        """
        self._pool.shutdown()
        if self._failure is not None:
            raise self._as_error()

    def abandon(self) -> None:
        """Stop sending again: what is not acknowledged by the calls under way is given up."""
        self._abandoned.set()

    def _as_error(self) -> DeliveryError:
        if isinstance(self._failure, DeliveryError):
            return self._failure
        return DeliveryError(f"{type(self._failure).__name__}: {self._failure}")

    def _deliver(self, records: list[Record]) -> None:
        batch = _Batch(records, self._clock())
        try:
            self._send_until_acked(batch)
        except Exception as error:
            # Whatever it is: the run ends with it, and the records stay accounted for.
            self._failure = self._failure or error
            batch.trouble = str(error)
        try:
            if batch.pending:
                self._tally.give_up(len(batch.pending))
                self._ledger.gave_up(batch.pending, batch.trouble)
        except OSError as error:
            self._failure = self._failure or error
        finally:
            self._slots.release()

    def _send_until_acked(self, batch: _Batch) -> None:
        """Returns when nothing is pending, or when patience or the run has ended."""

        def out_of_patience(_: RetryCallState) -> bool:
            return self._abandoned.is_set() or self._clock() - batch.last_progress > self._patience

        Retrying(
            retry=retry_if_result(bool),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            stop=out_of_patience,
            sleep=sleep_using_event(self._abandoned),
            retry_error_callback=lambda state: None,
        )(self._attempt, batch)

    def _attempt(self, batch: _Batch) -> bool:
        """Send what is pending once; whether anything still is."""
        self._abandoned.wait(self._pacer.reserve(batch.pending))
        self._tally.call(len(batch.pending), again=batch.attempts > 0)
        batch.attempts += 1
        try:
            answer = self._client.put_records(
                StreamName=self._stream,
                Records=[
                    {"Data": record.data, "PartitionKey": record.partition_key} for record in batch.pending
                ],
            )
        except ClientError as error:
            self._refused(batch, error)
        except ConnectionError as error:
            self._tally.fail_call(unknown_outcomes=0)
            batch.trouble = str(error)
        except (HTTPClientError, ResponseParserError) as error:
            self._unknown(batch, str(error))
        else:
            results = answer.get("Records", [])
            if len(results) == len(batch.pending):
                self._answered(batch, results)
            else:
                self._unknown(batch, "an answer that does not fit the call")
        return bool(batch.pending)

    def _refused(self, batch: _Batch, error: ClientError) -> None:
        code = error.response["Error"]["Code"]
        if code in _THROTTLED:
            self._tally.throttle(len(batch.pending))
            batch.trouble = code
            batch.last_progress = self._clock()
        elif error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            self._unknown(batch, str(error))
        else:
            raise DeliveryError(str(error)) from error

    def _unknown(self, batch: _Batch, trouble: str) -> None:
        self._tally.fail_call(unknown_outcomes=len(batch.pending))
        batch.doubtful = True
        batch.trouble = trouble

    def _answered(self, batch: _Batch, results: Sequence[dict[str, str]]) -> None:
        acked: list[Record] = []
        shards: list[str] = []
        sequence_numbers: list[str] = []
        failed: list[Record] = []
        throttled = 0
        for record, result in zip(batch.pending, results, strict=True):
            if "ErrorCode" in result:
                failed.append(record)
                throttled += result["ErrorCode"] in _THROTTLED
                batch.trouble = result["ErrorCode"]
            else:
                acked.append(record)
                shards.append(result["ShardId"])
                sequence_numbers.append(result["SequenceNumber"])
        batch.pending = failed
        if acked:
            self._tally.ack(shards)
            self._ledger.acked(acked, shards, sequence_numbers, possible_duplicates=batch.doubtful)
            self._pacer.saw(set(shards))
        if throttled:
            self._tally.throttle(throttled)
        if acked or throttled:
            batch.last_progress = self._clock()
