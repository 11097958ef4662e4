"""What a change set would do: every resource to add, modify or remove, property by property."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from local_stack.aws.cloudformation.desired import Desired
from local_stack.aws.cloudformation.intrinsics import UNKNOWN
from local_stack.aws.cloudformation.schemas import ResourceSchema
from local_stack.aws.cloudformation.state import ResourceState, Stack


@dataclass(frozen=True)
class PropertyChange:
    """One top-level property before and after; None is absent."""

    name: str
    before: Any
    after: Any
    replaces: bool


def property_changes(
    schema: ResourceSchema, before: dict[str, Any], after: dict[str, Any]
) -> list[PropertyChange]:
    """The top-level properties that differ, and whether each means a new resource."""
    return [
        PropertyChange(
            name,
            before.get(name),
            after.get(name),
            schema.fixed_at_creation(name, before.get(name), after.get(name)),
        )
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


class _PlanLookup:
    """Answers with what exists and stays; the rest is known only after the change."""

    def __init__(self, stack: Stack, imports: dict[str, str]) -> None:
        self._stack = stack
        self._imports = imports
        self.fresh: set[str] = set()

    def ref(self, logical_id: str) -> str:
        """The physical id, if the resource exists and is not replaced."""
        state = self._existing(logical_id)
        return state.physical_id if state else UNKNOWN

    def get_att(self, logical_id: str, attribute: str) -> Any:
        """The attribute, under the same condition."""
        state = self._existing(logical_id)
        return state.attributes.get(attribute, UNKNOWN) if state else UNKNOWN

    def import_value(self, name: str) -> str:
        """The export's value."""
        return self._imports.get(name, UNKNOWN)

    def _existing(self, logical_id: str) -> ResourceState | None:
        return None if logical_id in self.fresh else self._stack.resources.get(logical_id)


def plan(stack: Stack, desired: Desired, imports: dict[str, str]) -> list[dict[str, Any]]:
    """The changes in the form of DescribeChangeSet's ``Changes``, with property values.

    ``imports`` maps the names of the exports in the account and region to their values.
    """
    lookup = _PlanLookup(stack, imports)
    evaluator = desired.evaluator(lookup)
    changes: list[dict[str, Any]] = []
    for logical_id, resource in desired.resources.items():
        state = stack.resources.get(logical_id)
        after = desired.properties(logical_id, evaluator)
        schema = desired.schema(resource["Type"])
        if state is None or state.type != resource["Type"]:
            lookup.fresh.add(logical_id)
            changes.append(_change("Add", logical_id, resource["Type"], after=after))
            continue
        details = property_changes(schema, state.properties, after)
        if any(detail.replaces for detail in details):
            lookup.fresh.add(logical_id)
        if details:
            changes.append(_modification(state, after, details))
        elif attributes := _changed_attributes(state, resource):
            changes.append(_attribute_change(state, attributes))
    for state in stack.resources.values():
        declared = desired.resources.get(state.logical_id)
        if declared is None or declared["Type"] != state.type:
            change = _change("Remove", state.logical_id, state.type, before=state.properties)
            change["ResourceChange"]["PhysicalResourceId"] = state.physical_id
            changes.append(change)
    return changes


def outputs_changed(stack: Stack, desired: Desired, imports: dict[str, str]) -> bool:
    """Whether the outputs would differ, though no resource does."""
    evaluator = desired.evaluator(_PlanLookup(stack, imports))
    after = {
        (key, str(evaluator.evaluate(output["Value"])), str(output.get("Description") or ""))
        for key, output in desired.outputs(evaluator).items()
    }
    return after != {(output.key, output.value, output.description) for output in stack.outputs}


def _changed_attributes(state: ResourceState, resource: dict[str, Any]) -> list[str]:
    """The policies of a resource that a template changes without touching its properties."""
    before = {
        "DeletionPolicy": state.deletion_policy,
        "UpdateReplacePolicy": state.update_replace_policy,
    }
    return [name for name, value in before.items() if resource.get(name, "Delete") != value]


def _change(
    action: str,
    logical_id: str,
    type_name: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Action": action,
        "LogicalResourceId": logical_id,
        "ResourceType": type_name,
        "Scope": [],
        "Details": [],
    }
    if before is not None:
        body["BeforeContext"] = json.dumps({"Properties": before}, default=str)
    if after is not None:
        body["AfterContext"] = json.dumps({"Properties": after}, default=str)
    return {"Type": "Resource", "ResourceChange": body}


def _modification(
    state: ResourceState, after: dict[str, Any], details: list[PropertyChange]
) -> dict[str, Any]:
    change = _change("Modify", state.logical_id, state.type, before=state.properties, after=after)
    body = change["ResourceChange"]
    body["PhysicalResourceId"] = state.physical_id
    body["Replacement"] = "True" if any(detail.replaces for detail in details) else "False"
    body["Scope"] = sorted({"Tags" if detail.name == "Tags" else "Properties" for detail in details})
    body["Details"] = [_detail(detail) for detail in details]
    return change


def _detail(detail: PropertyChange) -> dict[str, Any]:
    target = {
        "Attribute": "Tags" if detail.name == "Tags" else "Properties",
        "Name": detail.name,
        "Path": f"/Properties/{detail.name}",
        "RequiresRecreation": "Always" if detail.replaces else "Never",
        "AttributeChangeType": _kind(detail),
    }
    if detail.before is not None:
        target["BeforeValue"] = _text(detail.before)
    if detail.after is not None:
        target["AfterValue"] = _text(detail.after)
    is_known = UNKNOWN not in target.get("AfterValue", "")
    return {
        "Target": target,
        "Evaluation": "Static" if is_known else "Dynamic",
        "ChangeSource": "DirectModification" if is_known else "ResourceReference",
    }


def _kind(detail: PropertyChange) -> str:
    if detail.before is None:
        return "Add"
    return "Remove" if detail.after is None else "Modify"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _attribute_change(state: ResourceState, names: list[str]) -> dict[str, Any]:
    change = _change("Modify", state.logical_id, state.type)
    body = change["ResourceChange"]
    body.update(PhysicalResourceId=state.physical_id, Replacement="False", Scope=names)
    body["Details"] = [
        {
            "Target": {"Attribute": name, "RequiresRecreation": "Never"},
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }
        for name in names
    ]
    return change
