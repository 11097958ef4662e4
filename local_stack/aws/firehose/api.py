"""Creating delivery streams and putting records to them, as AWS checks and answers it."""

from __future__ import annotations

import copy
from typing import Any

from moto.firehose.exceptions import InvalidArgumentException, ResourceNotFoundException
from moto.firehose.models import DeliveryStream, FirehoseBackend

from local_stack.aws import metrics
from local_stack.aws.errors import NotEmulatedError
from local_stack.aws.firehose.buffer import DeliveryProgress
from local_stack.aws.firehose.destination import DestinationError, read_destination

MAX_RECORDS_PER_PUT = 500
MAX_RECORD_BYTES = 1000 * 1024
MAX_PUT_BYTES = 4 * 1024 * 1024


def checked_create(create_delivery_stream: Any) -> Any:
    """Wrap moto's CreateDeliveryStream: refuse what cannot be delivered, and begin at this moment."""

    def create(self: FirehoseBackend, *args: Any, **kwargs: Any) -> str:
        arn = str(create_delivery_stream(self, *args, **kwargs))
        name = arn.rpartition("/")[2]
        stream = self.delivery_streams[name]
        try:
            _check(stream)
        except Exception:
            self.delete_delivery_stream(name)
            raise
        stream.progress = DeliveryProgress()
        return arn

    return create


def checked_update(update_destination: Any) -> Any:
    """Wrap moto's UpdateDestination: all stays as it was if the new destination is refused."""

    def update(self: FirehoseBackend, delivery_stream_name: str, *args: Any, **kwargs: Any) -> None:
        stream = self.delivery_streams.get(delivery_stream_name)
        before = copy.deepcopy([stream.destinations, stream.version_id]) if stream else []
        update_destination(self, delivery_stream_name, *args, **kwargs)
        try:
            _check(stream)
        except Exception:
            stream.destinations, stream.version_id = before
            raise

    return update


def put_record_batch(
    self: FirehoseBackend, delivery_stream_name: str, records: list[dict[str, bytes]]
) -> dict[str, Any]:
    """PutRecordBatch, and by it PutRecord: the records wait in the stream's inbox."""
    stream = self.delivery_streams.get(delivery_stream_name)
    if stream is None:
        raise ResourceNotFoundException(
            f"Firehose {delivery_stream_name} under account {self.account_id} not found."
        )
    if stream.source:
        raise InvalidArgumentException(
            "This operation is not permitted on KinesisStreamAsSource delivery stream type."
        )
    sizes = [len(record["Data"]) for record in records]
    if not 1 <= len(records) <= MAX_RECORDS_PER_PUT:
        raise InvalidArgumentException(f"A batch holds 1 to {MAX_RECORDS_PER_PUT} records.")
    if max(sizes) > MAX_RECORD_BYTES:
        raise InvalidArgumentException(f"Record size exceeds {MAX_RECORD_BYTES} bytes.")
    if sum(sizes) > MAX_PUT_BYTES:
        raise InvalidArgumentException(f"Records size exceeds {MAX_PUT_BYTES} bytes.")
    inbox = stream.progress.inbox
    with inbox.lock:
        identities = [inbox.append("", record["Data"]) for record in records]
    metrics.record(
        self.account_id,
        self.region_name,
        "AWS/Firehose",
        ("DeliveryStreamName", delivery_stream_name),
        {"IncomingRecords": (len(records), "Count"), "IncomingBytes": (sum(sizes), "Bytes")},
    )
    return {
        "FailedPutCount": 0,
        "Encrypted": False,
        "RequestResponses": [{"RecordId": identity} for identity in identities],
    }


def _check(stream: DeliveryStream) -> None:
    """Refuse a destination that cannot be delivered to.

    Raises:
        InvalidArgumentException: AWS would refuse it, too.
        NotEmulatedError: only the emulation cannot.
    """
    destination = stream.destinations[0]
    config = destination.get("ExtendedS3") or destination.get("S3")
    if config is None:
        names = ", ".join(name for name in destination if name != "destination_id")
        raise NotEmulatedError("firehose", f"the destination {names}")
    try:
        read_destination(config)
    except DestinationError as error:
        raise InvalidArgumentException(str(error)) from error
