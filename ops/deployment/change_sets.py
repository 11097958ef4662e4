"""Change sets: what a deployment would do to one stack, property by property, before it does it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ops.deployment.errors import DeployError, explained
from ops.deployment.stack import StackInfo

POLL_SECONDS = 1.0
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class PropertyDiff:
    """One property before and after; empty text where it is absent or not told."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class ResourceDiff:
    """One resource of a change set; ``action`` is Add, Modify, Remove, Replace or Maybe replace."""

    action: str
    logical_id: str
    type: str
    properties: tuple[PropertyDiff, ...] = ()


@dataclass(frozen=True)
class ChangeSet:
    """A change set that waits to be executed."""

    change_set_id: str
    stack_id: str
    resources: tuple[ResourceDiff, ...]


@dataclass(frozen=True)
class Proposal:
    """The template and parameters that a stack shall have.

    ``parameters`` holds the values to set; those of ``keep`` keep their previous value.
    """

    name: str
    template: str
    parameters: Mapping[str, str]
    keep: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def propose(cloudformation: Any, proposal: Proposal, existing: StackInfo | None) -> ChangeSet | None:
    """Make a change set and wait until AWS has worked it out; None if nothing would change.

    Raises:
        DeployError: AWS refuses the template or a parameter, or the stack is busy.
    """
    action = f"plan the stack {proposal.name}"
    with explained(action):
        made = cloudformation.create_change_set(
            StackName=proposal.name,
            ChangeSetName=f"deploy-{uuid4().hex[:12]}",
            ChangeSetType="UPDATE" if existing else "CREATE",
            TemplateBody=proposal.template,
            Parameters=[
                *({"ParameterKey": k, "ParameterValue": v} for k, v in proposal.parameters.items()),
                *({"ParameterKey": k, "UsePreviousValue": True} for k in proposal.keep),
            ],
            Tags=[{"Key": key, "Value": value} for key, value in proposal.tags.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        described = _settled(cloudformation, made["Id"])
        if described["Status"] == "FAILED":
            reason = described.get("StatusReason", "")
            cloudformation.delete_change_set(ChangeSetName=made["Id"])
            if any(known in reason for known in _NO_CHANGES):
                return None
            raise DeployError(f"Cannot {action}: {reason}")
    resources = tuple(_resource_diff(change["ResourceChange"]) for change in described["Changes"])
    return ChangeSet(made["Id"], made["StackId"], resources)


def execute(cloudformation: Any, change_set: ChangeSet, name: str) -> None:
    """Start the change; follow the stack to see it through."""
    with explained(f"deploy the stack {name}"):
        cloudformation.execute_change_set(ChangeSetName=change_set.change_set_id)


def discard(cloudformation: Any, change_set: ChangeSet, name: str) -> None:
    """Drop a change set that shall not be executed, and the empty stack that came with it."""
    with explained(f"discard the plan of the stack {name}"):
        cloudformation.delete_change_set(ChangeSetName=change_set.change_set_id)
        stack = cloudformation.describe_stacks(StackName=change_set.stack_id)["Stacks"][0]
        others = cloudformation.list_change_sets(StackName=change_set.stack_id)["Summaries"]
        if stack["StackStatus"] == "REVIEW_IN_PROGRESS" and not others:
            cloudformation.delete_stack(StackName=change_set.stack_id)


def _settled(cloudformation: Any, change_set_id: str) -> dict[str, Any]:
    while True:
        described = cloudformation.describe_change_set(
            ChangeSetName=change_set_id, IncludePropertyValues=True
        )
        if described["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            break
        time.sleep(POLL_SECONDS)
    page = described
    while token := page.get("NextToken"):
        page = cloudformation.describe_change_set(
            ChangeSetName=change_set_id, IncludePropertyValues=True, NextToken=token
        )
        described["Changes"] += page["Changes"]
    settled: dict[str, Any] = described
    return settled


def _resource_diff(change: dict[str, Any]) -> ResourceDiff:
    action = change["Action"]
    if action == "Modify":
        replacement = {"True": "Replace", "Conditional": "Maybe replace"}
        action = replacement.get(change.get("Replacement", "False"), action)
    properties = [diff for detail in change.get("Details", ()) for diff in _property_diffs(detail["Target"])]
    return ResourceDiff(
        action, change["LogicalResourceId"], change["ResourceType"], tuple(dict.fromkeys(properties))
    )


def _property_diffs(target: dict[str, Any]) -> list[PropertyDiff]:
    path = target.get("Path", "").removeprefix("/Properties/") or target.get("Name") or target["Attribute"]
    return list(_leaves(path, target.get("BeforeValue", ""), target.get("AfterValue", "")))


def _leaves(path: str, before: str, after: str) -> list[PropertyDiff]:
    """The parts of a structured property that differ, so that a changed number is not a wall of JSON."""
    old, new = _parsed(before), _parsed(after)
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        pairs = [(f"{path}/{key}", old.get(key, ""), new.get(key, "")) for key in keys]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(f"{path}/{index}", a, b) for index, (a, b) in enumerate(zip(old, new, strict=True))]
    else:
        return [PropertyDiff(path, before, after)]
    return [diff for name, a, b in pairs if a != b for diff in _leaves(name, _text(a), _text(b))]


def _parsed(value: str) -> Any:
    if not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
