"""A Kinesis stream behind a real boto3 client: calls are answered by a script instead of a network.

botocore serialises, signs, parses and raises as it always does; only the socket is missing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

Answer = Callable[["ScriptedStream", list[dict[str, str]]], tuple[int, dict[str, Any]]]
"""Given the records of a PutRecords call: HTTP status and body. May raise, as a broken network does."""


@dataclass(frozen=True)
class Stored:
    """A record on the stream."""

    data: bytes
    partition_key: str
    shard_id: str
    sequence_number: str


@dataclass
class ScriptedStream:
    """Stores what is put, except where ``script`` has an answer left for the call."""

    shards: int = 2
    script: list[Answer] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, config: Config) -> Any:
        """A Kinesis client for this stream."""
        client = boto3.client(
            "kinesis",
            region_name="eu-north-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            endpoint_url="http://127.0.0.1:1",
            config=config,
        )
        client.meta.events.register("before-send.kinesis.PutRecords", self._answer)
        return client

    def put(self, record: dict[str, str]) -> dict[str, str]:
        """Store one record of a call; the result for it."""
        key = record["PartitionKey"]
        shard = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) * self.shards >> 128
        stored = Stored(base64.b64decode(record["Data"]), key, f"shard-{shard}", str(len(self.stored) + 1))
        self.stored.append(stored)
        return {"ShardId": stored.shard_id, "SequenceNumber": stored.sequence_number}

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        records = json.loads(request.body)["Records"]
        with self.lock:
            self.calls.append(len(records))
            answer = self.script.pop(0) if self.script else store_all
            status, body = answer(self, records)
        headers = {"content-type": "application/x-amz-json-1.1"}
        return AWSResponse(request.url, status, headers, _Body(json.dumps(body).encode()))


@dataclass(frozen=True)
class _Body:
    content: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.content


def store_all(stream: ScriptedStream, records: list[dict[str, str]]) -> tuple[int, dict[str, Any]]:
    """A call that goes well."""
    return 200, {"FailedRecordCount": 0, "Records": [stream.put(record) for record in records]}


def fail_some(code: str, every: int) -> Answer:
    """Each ``every``-th record fails with ``code``, the others are stored."""

    def answer(stream: ScriptedStream, records: list[dict[str, str]]) -> tuple[int, dict[str, Any]]:
        results = [
            {"ErrorCode": code, "ErrorMessage": "scripted"} if number % every == 0 else stream.put(record)
            for number, record in enumerate(records)
        ]
        failed = sum("ErrorCode" in result for result in results)
        return 200, {"FailedRecordCount": failed, "Records": results}

    return answer


def refuse(status: int, code: str) -> Answer:
    """The whole call is refused."""
    return lambda stream, records: (status, {"__type": code, "message": "scripted"})


def break_off(error: Exception, *, stored: bool) -> Answer:
    """The network fails, before or after the records were stored."""

    def answer(stream: ScriptedStream, records: list[dict[str, str]]) -> tuple[int, dict[str, Any]]:
        if stored:
            store_all(stream, records)
        raise error

    return answer
