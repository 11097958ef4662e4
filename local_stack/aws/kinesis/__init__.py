"""Kinesis Data Streams: moto's control plane over an append-only log per shard."""

from __future__ import annotations

import moto.kinesis.models
from moto.kinesis.models import KinesisBackend
from moto.kinesis.responses import KinesisResponse

from local_stack.aws.context import ServerContext
from local_stack.aws.kinesis import api
from local_stack.aws.kinesis.retention import RetentionWorker
from local_stack.aws.kinesis.shard import LogShard
from local_stack.aws.kinesis.stream import LogStream


def install(_context: ServerContext) -> RetentionWorker:
    """Give moto our shards and streams; returns the worker that drops expired records."""
    moto.kinesis.models.Shard = LogShard
    moto.kinesis.models.Stream = LogStream
    KinesisBackend.get_shard_iterator = api.named_iterator(KinesisBackend.get_shard_iterator)
    KinesisBackend.get_records = api.read_records
    # moto would otherwise parse every JSON body as a query string as well.
    KinesisResponse.use_raw_body = True
    KinesisResponse.put_record = api.put_record
    KinesisResponse.put_records = api.put_records
    return RetentionWorker()
