"""Firehose: moto's control plane, with deliveries to S3 that really happen."""

from __future__ import annotations

from moto.firehose.models import FirehoseBackend

from local_stack.aws.context import ServerContext
from local_stack.aws.firehose import api
from local_stack.aws.firehose.worker import FirehoseWorker


def install(_context: ServerContext) -> FirehoseWorker:
    """Mend moto's Firehose; returns the worker that delivers."""
    FirehoseBackend.create_delivery_stream = api.checked_create(FirehoseBackend.create_delivery_stream)
    FirehoseBackend.update_destination = api.checked_update(FirehoseBackend.update_destination)
    FirehoseBackend.put_record_batch = api.put_record_batch
    return FirehoseWorker()
