"""Delivery errors in CloudWatch Logs, as Firehose writes them where its destination asks for it."""

from __future__ import annotations

import json
import logging
import time

from moto.firehose.models import DeliveryStream
from moto.logs.models import logs_backends

from local_stack.aws.firehose import rights
from local_stack.aws.firehose.destination import Destination

log = logging.getLogger(__name__)


def write_error(
    account_id: str, region: str, stream: DeliveryStream, destination: Destination, code: str, message: str
) -> None:
    """Write one event to the destination's log stream; a missing one is noted in our own log only."""
    if not destination.log_group or not destination.log_stream:
        return
    event = {
        "deliveryStreamARN": stream.delivery_stream_arn,
        "destination": f"arn:aws:s3:::{destination.bucket}",
        "deliveryStreamVersionId": int(stream.version_id),
        "message": message,
        "errorCode": code,
    }
    line = {"timestamp": int(time.time() * 1000), "message": json.dumps(event)}
    try:
        access = rights.logging(account_id, region, destination.log_group, destination.log_stream)
        rights.require(stream, destination.role, access)
        logs = logs_backends[account_id][region]
        logs.put_log_events(destination.log_group, destination.log_stream, [line])
    except Exception:  # an error that cannot be told must not end the delivery
        log.warning(
            "%s: the log of delivery errors is not writable", stream.delivery_stream_name, exc_info=True
        )
