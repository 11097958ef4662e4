"""What a deployment would do to the stacks of one environment, in dependency order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from config import names
from config.stacks import ENVIRONMENT_PARAMETER, STACKS, OutputOf, StackSpec, stacks_of
from ops.deployment import change_sets
from ops.deployment.change_sets import ChangeSet, Proposal
from ops.deployment.errors import DeployError, explained
from ops.deployment.stack import StackInfo, find, require_settled

TEMPLATES = Path(__file__).resolve().parents[2] / "cloudformation"
BY_CONCERN = {spec.concern: spec for spec in STACKS}


@dataclass(frozen=True)
class StackPlan:
    """What would happen to one stack.

    ``change_set`` is None where nothing would change, and where the remains of a failed creation must
    go first. ``provisional`` says that inputs come from stacks that do not exist yet, so that their
    values are made up.
    """

    spec: StackSpec
    proposal: Proposal
    existing: StackInfo | None
    change_set: ChangeSet | None
    provisional: bool

    @property
    def kind(self) -> Literal["create", "update", "recreate", "unchanged"]:
        """What would happen, in one word."""
        if self.existing is not None and self.existing.is_leftover:
            return "recreate"
        if self.change_set is None:
            return "unchanged"
        return "create" if self.existing is None or self.existing.is_empty else "update"


def select(environment: str, only: Sequence[str] | None) -> tuple[StackSpec, ...]:
    """The environment's stacks of the given concerns, or all, in dependency order.

    Raises:
        DeployError: a concern is none of this environment.
    """
    there = stacks_of(environment)
    if foreign := sorted(set(only or ()) - {spec.concern for spec in there}):
        raise DeployError(f"{environment} has no stack {', '.join(foreign)}.")
    return tuple(spec for spec in there if not only or spec.concern in only)


class Planner:
    """Plans stacks of one environment.

    ``client_of`` gives CloudFormation in a stack's region; ``parameters`` are what the user gave on top.
    """

    def __init__(
        self,
        client_of: Callable[[StackSpec], Any],
        environment: str,
        parameters: Mapping[str, str],
        selected: Sequence[StackSpec],
    ) -> None:
        self._client_of = client_of
        self._environment = environment
        self._parameters = parameters
        self._selected = selected
        self._declared: dict[str, set[str]] = {}

    def check(self) -> None:
        """Refuse parameters that no selected template has.

        Raises:
            DeployError: naming them all, and what there is.
        """
        for spec in self._selected:
            with explained(f"read the template {spec.template}"):
                summary = self._client_of(spec).get_template_summary(TemplateBody=_template(spec))
            self._declared[spec.concern] = {p["ParameterKey"] for p in summary["Parameters"]}
        if ENVIRONMENT_PARAMETER in self._parameters:
            raise DeployError(f"{ENVIRONMENT_PARAMETER} is not a parameter to give: use --environment.")
        known = set().union(*self._declared.values()) - {ENVIRONMENT_PARAMETER}
        if unknown := sorted(self._parameters.keys() - known):
            raise DeployError(
                f"No selected template has the parameter {', '.join(unknown)}. "
                f"There are: {', '.join(sorted(known))}."
            )

    def plan(self, spec: StackSpec, *, guess: bool) -> StackPlan:
        """Work out what would happen to a stack; a change set is left behind unless nothing would.

        With ``guess``, outputs that do not exist yet are made up.

        Raises:
            DeployError: an input is missing, the stack is busy, or AWS refuses.
        """
        client = self._client_of(spec)
        existing = find(client, spec.stack_name(self._environment))
        if existing is not None:
            require_settled(existing)
        base = None if existing is None or existing.is_leftover or existing.is_empty else existing
        inputs, provisional = self._inputs(spec, guess=guess)
        proposal = self._proposal(spec, inputs, base)
        if base is not None and self._is_current(client, base, proposal):
            return StackPlan(spec, proposal, existing, None, provisional)
        if existing is not None and existing.is_leftover:
            return StackPlan(spec, proposal, existing, None, provisional)
        change_set = change_sets.propose(client, proposal, base)
        return StackPlan(spec, proposal, existing, change_set, provisional)

    def still_holds(self, plan: StackPlan) -> bool:
        """Whether a plan's inputs are what the other stacks give now."""
        inputs, _ = self._inputs(plan.spec, guess=False)
        wanted = {**inputs, **{k: v for k, v in self._parameters.items() if k in inputs}}
        return all(plan.proposal.parameters.get(key) == value for key, value in wanted.items())

    def _inputs(self, spec: StackSpec, *, guess: bool) -> tuple[dict[str, str], bool]:
        values: dict[str, str] = {}
        provisional = False
        for parameter, source in spec.inputs.items():
            value = self.output(source)
            if value is None and guess and BY_CONCERN[source.concern] in self._selected:
                value, provisional = f"output-{source.key}-of-{source.concern}", True
            if value is None and BY_CONCERN[source.concern].optional:
                continue
            if value is None:
                stack = BY_CONCERN[source.concern].stack_name(self._environment)
                raise DeployError(
                    f"The stack {spec.stack_name(self._environment)} needs the output {source.key} of "
                    f"{stack}, which is not there. Deploy it first: python -m ops.deploy apply "
                    f"--environment {self._environment} --only {source.concern}"
                )
            values[parameter] = value
        return values, provisional

    def output(self, source: OutputOf) -> str | None:
        """The value of another stack's output, or None."""
        spec = BY_CONCERN[source.concern]
        stack = find(self._client_of(spec), spec.stack_name(self._environment))
        return stack.outputs.get(source.key) if stack else None

    def _proposal(self, spec: StackSpec, inputs: dict[str, str], base: StackInfo | None) -> Proposal:
        declared = self._declared[spec.concern]
        own = {ENVIRONMENT_PARAMETER: self._environment} if spec.by_environment else {}
        given = {key: value for key, value in self._parameters.items() if key in declared}
        parameters = {**own, **inputs, **given}
        keep = sorted((declared - parameters.keys()) & base.parameters.keys()) if base else []
        tags = {"project": names.PROJECT, "environment": self._environment}
        return Proposal(spec.stack_name(self._environment), _template(spec), parameters, tuple(keep), tags)

    def _is_current(self, client: Any, base: StackInfo, proposal: Proposal) -> bool:
        """Whether the stack has this very template, these parameters and tags: no change set needed."""
        same = {**base.parameters, **proposal.parameters} == base.parameters
        if not same or base.tags != proposal.tags or base.parameters.keys() != self._wanted(proposal):
            return False
        with explained(f"read the template of {base.name}"):
            body = client.get_template(StackName=base.stack_id)["TemplateBody"]
        return bool(body == proposal.template)

    def _wanted(self, proposal: Proposal) -> set[str]:
        return {*proposal.parameters, *proposal.keep}


def _template(spec: StackSpec) -> str:
    return (TEMPLATES / spec.template).read_text(encoding="utf-8")
