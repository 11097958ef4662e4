"""Drills of the stream: what becomes of events between the producer and bronze."""

from __future__ import annotations

import json
import time

from config import names
from local_stack.aws.firehose.delivery import KILL
from local_stack.supervisor import StackError
from tests.drills.stack import DrillStack

EVENTS = 4_000
DISORDER = ("--duplicates", "0.02", "--late", "0.02", "--corrupt", "0.01")
DENIED_SECONDS = 15.0


def producer(stack: DrillStack) -> float:
    """Producer killed (SIGKILL) while it sends."""
    sending = stack.produce(EVENTS * 10, *DISORDER, rate="2000")
    time.sleep(6)
    if sending.poll() is not None:
        raise StackError("the producer ended before it could be killed")
    sending.kill()
    sending.communicate()
    killed = time.monotonic()
    stack.send(EVENTS, *DISORDER)
    return time.monotonic() - killed


def firehose(stack: DrillStack) -> float:
    """Firehose loses its right to write to the bucket while events come."""
    iam, role = stack.client("iam"), names.FIREHOSE_ROLE
    denial = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
    iam.put_role_policy(RoleName=role, PolicyName="drill", PolicyDocument=policy)
    try:
        stack.require(stack.produce(EVENTS, *DISORDER))
        time.sleep(DENIED_SECONDS)
        if not stack.undelivered():
            raise StackError("the events were delivered all the same")
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="drill")
    mended = time.monotonic()
    stack.wait_for_delivery()
    return time.monotonic() - mended


def firehose_worker(stack: DrillStack) -> float:
    """Firehose's worker killed twice, its objects written but not noted: it writes them again."""
    order = {"service": "firehose", "operation": KILL, "path": names.DELIVERY_STREAM, "remaining": 2}
    with stack.faults(order):
        stack.require(stack.produce(EVENTS, *DISORDER))
        stack.wait_until(lambda: not stack.faults_left(), "the worker was killed twice")
        killed = time.monotonic()
    stack.wait_for_delivery()
    return time.monotonic() - killed


def kinesis_throttling(stack: DrillStack) -> float:
    """Kinesis refuses 30 PutRecords calls: provisioned throughput exceeded."""
    throttled = {
        "service": "kinesis",
        "operation": "PutRecords",
        "status": 400,
        "code": "ProvisionedThroughputExceededException",
        "message": "Rate exceeded for shard",
        "remaining": 30,
    }
    with stack.faults(throttled):
        ordered = time.monotonic()
        stack.require(stack.produce(EVENTS, *DISORDER))
        if stack.faults_left():
            raise StackError("the producer met less throttling than ordered")
    stack.wait_for_delivery()
    return time.monotonic() - ordered
