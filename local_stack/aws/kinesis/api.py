"""PutRecord, PutRecords and GetRecords, as AWS checks and answers them.

The two writes bypass moto's parser and serializer, which cost more than the write itself.
"""

from __future__ import annotations

import binascii
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kinesis.exceptions import (
    InvalidArgumentError,
    RecordSizeExceedsLimit,
    TooManyRecords,
)
from moto.kinesis.models import KinesisBackend
from moto.kinesis.responses import KinesisResponse
from moto.kinesis.utils import compose_shard_iterator, decompose_shard_iterator

from local_stack.aws import metrics
from local_stack.aws.kinesis.limits import (
    MAX_PARTITION_KEY_LENGTH,
    MAX_PUT_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS_PER_PUT,
)
from local_stack.aws.kinesis.shard import StoredRecord
from local_stack.aws.kinesis.stream import LogStream, PutEntry, PutResult

THROTTLED = "ProvisionedThroughputExceededException"


Answer = tuple[bytes, dict[str, str]]


def put_records(self: KinesisResponse) -> Answer:
    """PutRecords: each record stands for itself, failures are told by position."""
    request = json.loads(self.body)
    stream = _stream(self, request)
    records = request.get("Records", [])
    if not records:
        raise _validation("Value at 'records' failed to satisfy constraint: Member must have length >= 1")
    if len(records) > MAX_RECORDS_PER_PUT:
        raise TooManyRecords
    entries = [_entry(record, position) for position, record in enumerate(records, 1)]
    size = sum(entry.size for entry in entries)
    if size > MAX_PUT_BYTES:
        raise InvalidArgumentError(f"Records size exceeds {MAX_PUT_BYTES >> 20} MB limit")
    results = [stream.put(entry) for entry in entries]
    _count(stream, size, results)
    answers = [_answer(stream, result) for result in results]
    failed = sum(result.sequence_number is None for result in results)
    return _json({"FailedRecordCount": failed, "Records": answers, "EncryptionType": "NONE"})


def put_record(self: KinesisResponse) -> Answer:
    """PutRecord."""
    request = json.loads(self.body)
    stream = _stream(self, request)
    entry = _entry(request, 1)
    result = stream.put(entry)
    _count(stream, entry.size, [result])
    answer = _answer(stream, result)
    if result.sequence_number is None:
        raise JsonRESTError(THROTTLED, answer["ErrorMessage"])
    return _json({**answer, "EncryptionType": "NONE"})


def named_iterator(get_shard_iterator: Any) -> Any:
    """Wrap moto's GetShardIterator, which forgets the stream if it was given by ARN only."""

    def wrapper(self: KinesisBackend, stream_arn: str | None, stream_name: str | None, *rest: Any) -> str:
        stream = self.describe_stream(stream_arn=stream_arn, stream_name=stream_name)
        return str(get_shard_iterator(self, stream_arn, stream.stream_name, *rest))

    return wrapper


def read_records(
    self: KinesisBackend, stream_arn: str | None, shard_iterator: str, limit: int | None
) -> tuple[str | None, list[StoredRecord], int]:
    """GetRecords: the next iterator (None at the end of a closed shard), records, milliseconds behind."""
    try:
        stream_name, shard_id, last = decompose_shard_iterator(shard_iterator)
    except (ValueError, binascii.Error) as error:
        raise InvalidArgumentError("Invalid ShardIterator.") from error
    stream = self.describe_stream(stream_arn=stream_arn, stream_name=stream_name)
    shard = stream.get_shard(shard_id)
    records, newest, behind = shard.get_records(last, limit)
    if shard.is_read_to_end(newest):
        return None, records, behind
    return compose_shard_iterator(stream.stream_name, shard, newest), records, behind


def _json(answer: dict[str, Any]) -> Answer:
    # Bytes, or moto searches the whole answer for a request id to replace.
    return json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.1"}


def _stream(response: KinesisResponse, request: dict[str, Any]) -> LogStream:
    return response.kinesis_backend.describe_stream(request.get("StreamARN"), request.get("StreamName"))


def _entry(record: dict[str, Any], position: int) -> PutEntry:
    key = record.get("PartitionKey")
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_PARTITION_KEY_LENGTH:
        raise _validation(
            f"Value at 'records.{position}.member.partitionKey' failed to satisfy constraint: Member must "
            f"have length between 1 and {MAX_PARTITION_KEY_LENGTH}"
        )
    try:
        data = binascii.a2b_base64(record["Data"], strict_mode=True) if record["Data"] else b""
    except (KeyError, TypeError, binascii.Error) as error:
        raise JsonRESTError("SerializationException", f"records.{position}.member.data: {error}") from error
    hash_key = record.get("ExplicitHashKey")
    if hash_key is not None and not (str(hash_key).isdecimal() and int(hash_key) < 2**128):
        raise InvalidArgumentError("Invalid ExplicitHashKey: it must be in the range [0, 2^128 - 1].")
    size = len(data) + len(key.encode())
    if size > MAX_RECORD_BYTES:
        raise RecordSizeExceedsLimit(position)
    return PutEntry(key, data, size, None if hash_key is None else int(hash_key))


def _answer(stream: LogStream, result: PutResult) -> dict[str, str]:
    if result.sequence_number is None:
        return {
            "ErrorCode": THROTTLED,
            "ErrorMessage": (
                f"Rate exceeded for shard {result.shard_id} in stream {stream.stream_name} "
                f"under account {stream.account_id}."
            ),
        }
    return {"SequenceNumber": result.sequence_number, "ShardId": result.shard_id}


def _count(stream: LogStream, size: int, results: list[PutResult]) -> None:
    throttled = sum(result.sequence_number is None for result in results)
    metrics.record(
        stream.account_id,
        stream.region,
        "AWS/Kinesis",
        ("StreamName", stream.stream_name),
        {
            "IncomingBytes": (size, "Bytes"),
            "IncomingRecords": (len(results) - throttled, "Count"),
            "WriteProvisionedThroughputExceeded": (throttled, "Count"),
        },
    )


def _validation(what: str) -> JsonRESTError:
    return JsonRESTError("ValidationException", f"1 validation error detected: {what}")
