"""What somebody changed behind CloudFormation's back: resources compared with what their stack asked for.

As on AWS, not every type can be compared; those that cannot are NOT_CHECKED, never IN_SYNC.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from local_stack.aws.cloudformation.resources import REGISTRY
from local_stack.aws.cloudformation.resources.base import Call
from local_stack.aws.cloudformation.state import ResourceState, Stack, now


@dataclass(frozen=True)
class Difference:
    """A property that is not as asked for; ``actual`` None is not there."""

    path: str
    expected: Any
    actual: Any


@dataclass(frozen=True)
class ResourceDrift:
    """A resource's state: IN_SYNC, MODIFIED, DELETED or NOT_CHECKED."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    expected: dict[str, Any]
    differences: tuple[Difference, ...] = ()

    def describe(self, stack_id: str, checked_at: datetime) -> dict[str, Any]:
        """The StackResourceDrift structure of the API."""
        actual = {each.path.removeprefix("/"): each.actual for each in self.differences}
        described: dict[str, Any] = {
            "StackId": stack_id,
            "LogicalResourceId": self.logical_id,
            "PhysicalResourceId": self.physical_id,
            "ResourceType": self.type,
            "ExpectedProperties": json.dumps(self.expected),
            "PropertyDifferences": [
                {
                    "PropertyPath": each.path,
                    "ExpectedValue": _text(each.expected),
                    "ActualValue": _text(each.actual),
                    "DifferenceType": "REMOVE" if each.actual is None else "NOT_EQUAL",
                }
                for each in self.differences
            ],
            "StackResourceDriftStatus": self.status,
            "Timestamp": checked_at,
        }
        if self.status == "MODIFIED":
            described["ActualProperties"] = json.dumps({**self.expected, **actual})
        return described


@dataclass(frozen=True)
class Detection:
    """The outcome of one look at a whole stack."""

    resources: tuple[ResourceDrift, ...]
    detection_id: str = field(default_factory=lambda: str(uuid4()))
    checked_at: datetime = field(default_factory=now)

    @property
    def drifted(self) -> int:
        """How many resources are not as asked for."""
        return sum(each.status in ("MODIFIED", "DELETED") for each in self.resources)

    @property
    def status(self) -> str:
        """The stack's: DRIFTED or IN_SYNC."""
        return "DRIFTED" if self.drifted else "IN_SYNC"


def detect(stack: Stack, call_for: Callable[[ResourceState], Call]) -> Detection:
    """Look at every resource of a stack. ``call_for`` gives the call by which a handler can read one."""
    return Detection(tuple(_look(state, call_for(state)) for state in list(stack.resources.values())))


def _look(state: ResourceState, call: Call) -> ResourceDrift:
    handler = REGISTRY[state.type]
    facts = state.logical_id, state.physical_id, state.type
    if not handler.readable:
        return ResourceDrift(*facts, "NOT_CHECKED", state.properties)
    actual = handler.read(call)
    if actual is None:
        return ResourceDrift(*facts, "DELETED", state.properties)
    differences = tuple(
        Difference(f"/{name}", state.properties[name], actual.get(name))
        for name in sorted(handler.readable & state.properties.keys())
        if actual.get(name) != state.properties[name]
    )
    return ResourceDrift(*facts, "MODIFIED" if differences else "IN_SYNC", state.properties, differences)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
