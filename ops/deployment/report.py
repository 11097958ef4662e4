"""Showing plans, progress and results to a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from config.stacks import StackSpec
from ops.deployment.change_sets import ResourceDiff
from ops.deployment.drift import Drift
from ops.deployment.planning import StackPlan
from ops.deployment.stack import StackInfo

_STYLE = {
    "Add": ("+", "green"),
    "Modify": ("~", "yellow"),
    "Remove": ("-", "red"),
    "Replace": ("±", "bold red"),
    "Maybe replace": ("±", "red"),
}
_NOTES = {
    "Replace": "a new one takes its place: what it holds stays behind",
    "Maybe replace": "may be replaced: AWS knows only when it happens",
}
LONGEST_VALUE = 60


def show_plans(console: Console, plans: Sequence[StackPlan]) -> None:
    """Print the difference that a deployment would make."""
    for plan in plans:
        heading = Text.assemble((plan.proposal.name, "bold"), f"  {plan.spec.doc}  ")
        if plan.kind == "unchanged":
            heading.append("unchanged", "dim")
        elif plan.kind == "recreate":
            heading.append("remains of a failed creation: removed, then created again", "yellow")
        else:
            heading.append(plan.kind, "green" if plan.kind == "create" else "yellow")
        console.print(heading)
        if plan.change_set is not None:
            for resource in plan.change_set.resources:
                _show_resource(console, resource)
            if not plan.change_set.resources:
                console.print("    only outputs, parameters or tags", style="dim")
    console.print(summary(plans))


def summary(plans: Sequence[StackPlan]) -> str:
    """One line: how many resources would be added, changed, replaced and removed."""
    actions: Counter[str] = Counter()
    for plan in plans:
        if plan.change_set is not None:
            actions.update(resource.action for resource in plan.change_set.resources)
    replaced = actions["Replace"] + actions["Maybe replace"]
    if all(plan.kind == "unchanged" for plan in plans):
        return f"Nothing to do: {len(plans)} stacks are as the templates say."
    return (
        f"Plan: {actions['Add']} to add, {actions['Modify']} to change, {replaced} to replace, "
        f"{actions['Remove']} to remove."
    )


def _show_resource(console: Console, resource: ResourceDiff) -> None:
    sign, style = _STYLE[resource.action]
    line = Text.assemble(("  " + sign, style), f" {resource.logical_id} ", (resource.type, "dim"))
    if note := _NOTES.get(resource.action):
        line.append(f"  {note}", style)
    console.print(line)
    for diff in resource.properties:
        line = Text(f"      {diff.path}: ")
        line.append(_short(diff.before) or "(absent)", "red")
        line.append(" → ")
        line.append(_short(diff.after) or "(absent)", "green")
        console.print(line)


def _short(value: str) -> str:
    value = value.replace("{{changeSet:KNOWN_AFTER_APPLY}}", "(known after the change)")
    return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 1]}…"


def show_event(console: Console, event: dict[str, Any]) -> None:
    """Print one event of a stack: finished steps quietly, failures with their reason."""
    status = event["ResourceStatus"]
    if status.endswith("_IN_PROGRESS") and "ROLLBACK" not in status:
        return
    style = "red" if status.endswith("_FAILED") else "dim"
    reason = f": {event.get('ResourceStatusReason', 'no reason given')}" if style == "red" else ""
    console.print(Text(f"    {status:<20} {event['LogicalResourceId']}{reason}", style))


def show_status(
    console: Console, found: Sequence[tuple[StackSpec, str, StackInfo | None]], counts: Mapping[str, int]
) -> None:
    """Print the stacks: name, state, outputs. ``counts`` are their resources, by the stacks' ids."""
    for spec, name, stack in found:
        line = Text.assemble((name, "bold"), f"  {spec.doc}  ")
        if stack is None:
            console.print(line.append("not deployed", "dim"))
            continue
        healthy = stack.status.endswith("_COMPLETE") and "ROLLBACK" not in stack.status
        line.append(stack.status, "green" if healthy else "red")
        console.print(line.append(f"  {counts[stack.stack_id]} resources", "dim"))
        for key, value in stack.outputs.items():
            console.print(Text(f"    {key} = {value}"))
    console.print(f"{len(counts)} stacks, {sum(counts.values())} resources")


def show_drift(console: Console, drifts: Mapping[str, Sequence[Drift]]) -> None:
    """Print what is not as the stacks (by name) asked for."""
    for name, found in drifts.items():
        for each in found:
            line = Text.assemble((name, "bold"), f"  {each.logical_id} ", (each.type, "dim"))
            console.print(line.append("  deleted" if each.is_deleted else "  changed by hand", "red"))
            for path, expected, actual in each.properties:
                line = Text(f"      {path}: ")
                line.append(_short(expected) or "(absent)", "green")
                line.append(" is now ")
                line.append(_short(actual) or "(absent)", "red")
                console.print(line)
    drifted = sum(map(len, drifts.values()))
    console.print(
        f"Drift: {drifted} resources are not as their stacks asked for." if drifted else "No drift found."
    )
