"""Waiting for a stack: its events as they happen, and why it failed if it failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ops.deployment.errors import DeployError, explained
from ops.deployment.stack import StackInfo, find

POLL_SECONDS = 2.0
LONGEST_SECONDS = 3600.0
"""An EMR cluster takes ten minutes to start; nothing here takes an hour."""

Listener = Callable[[dict[str, Any]], None]
"""Told of every event of a stack, oldest first."""


def latest_event(cloudformation: Any, stack_id: str) -> str:
    """The id of the newest event, from which to follow; empty for a stack without history."""
    with explained("read the stack's events"):
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return str(events[0]["EventId"]) if events else ""


def follow(cloudformation: Any, stack_id: str, after_event: str, listener: Listener) -> StackInfo:
    """Wait until the stack is settled, telling ``listener`` of what happens.

    Raises:
        DeployError: it is not done within an hour, or cannot be asked.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    seen = after_event
    while time.monotonic() < deadline:
        stack = find(cloudformation, stack_id)
        for event in _events_after(cloudformation, stack_id, seen):
            seen = event["EventId"]
            listener(event)
        if stack is None or not stack.status.endswith("_IN_PROGRESS"):
            break
        time.sleep(POLL_SECONDS)
    else:
        raise DeployError(f"The stack {stack_id} is still busy after an hour. Look at its events.")
    if stack is None:
        raise DeployError(f"The stack {stack_id} has vanished.")
    return stack


def failures(cloudformation: Any, stack_id: str, after_event: str) -> list[str]:
    """Why resources failed since ``after_event``: ``LogicalId (type): reason``, first cause first."""
    return [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
        for event in _events_after(cloudformation, stack_id, after_event)
        if event["ResourceStatus"].endswith("_FAILED")
        and event.get("ResourceStatusReason")
        and event["ResourceType"] != "AWS::CloudFormation::Stack"
        and "cancelled" not in event["ResourceStatusReason"]
    ]


def _events_after(cloudformation: Any, stack_id: str, event_id: str) -> list[dict[str, Any]]:
    fresh: list[dict[str, Any]] = []
    with explained("read the stack's events"):
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if event["EventId"] == event_id:
                    return fresh[::-1]
                fresh.append(event)
    return fresh[::-1]
