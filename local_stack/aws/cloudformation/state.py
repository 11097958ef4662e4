"""What the emulation remembers of stacks: plain data, so that it can be saved with the other backends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from local_stack.aws.cloudformation.drift import Detection

IN_PROGRESS = "_IN_PROGRESS"
STACK_TYPE = "AWS::CloudFormation::Stack"


def now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


@dataclass
class ResourceState:
    """A resource that exists: what was asked for, what it is called, and what Fn::GetAtt answers."""

    logical_id: str
    type: str
    physical_id: str
    properties: dict[str, Any]
    attributes: dict[str, Any]
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    updated_at: datetime = field(default_factory=now)


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    event_id: str = field(default_factory=lambda: str(uuid4()))
    timestamp: datetime = field(default_factory=now)


@dataclass(frozen=True)
class Output:
    """A resolved output; ``export`` is its name for Fn::ImportValue, if it has one."""

    key: str
    value: str
    description: str = ""
    export: str | None = None


@dataclass
class Stack:
    """A stack, deleted ones included (they stay describable by id)."""

    stack_id: str
    name: str
    account_id: str
    region: str
    status: str
    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    description: str = ""
    status_reason: str = ""
    created_at: datetime = field(default_factory=now)
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    resources: dict[str, ResourceState] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    on_failure: str = "ROLLBACK"
    termination_protection: bool = False
    drift: Detection | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith(IN_PROGRESS) and self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_deleted(self) -> bool:
        """Whether it lives on only as a memory."""
        return self.status == "DELETE_COMPLETE"

    @property
    def exports(self) -> Iterator[Output]:
        """The outputs that other stacks may import."""
        return (output for output in self.outputs if output.export)

    def set_status(self, status: str, reason: str = "") -> None:
        """Change the stack's status and note it in the history."""
        self.status = status
        self.status_reason = reason
        self.events.append(Event(self.name, self.stack_id, STACK_TYPE, status, reason))

    def note(self, logical_id: str, physical_id: str, type_name: str, status: str, reason: str = "") -> None:
        """Write a resource's step into the history."""
        self.events.append(Event(logical_id, physical_id, type_name, status, reason))


@dataclass
class ChangeSet:
    """A proposed change: ``changes`` in the form of DescribeChangeSet."""

    change_set_id: str
    name: str
    stack_id: str
    kind: str
    template: str
    parameters: dict[str, str]
    tags: dict[str, str]
    capabilities: list[str]
    description: str
    changes: list[dict[str, Any]]
    status: str = "CREATE_COMPLETE"
    status_reason: str = ""
    execution_status: str = "AVAILABLE"
    on_failure: str = "ROLLBACK"
    created_at: datetime = field(default_factory=now)
