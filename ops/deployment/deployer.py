"""Deploying, showing and removing the stacks of one environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import boto3
from rich.console import Console

from config.stacks import SETTINGS, StackSpec
from ops.deployment import buckets, change_sets, drift, following, report
from ops.deployment.errors import DeployError, explained
from ops.deployment.planning import BY_CONCERN, Planner, StackPlan, select
from ops.deployment.stack import StackInfo, find, require_settled

EMPTYING_ATTEMPTS = 3
"""Firehose and access logs may write while a bucket is emptied."""

Confirm = Callable[[str], bool]
"""Asked before anything happens; False leaves everything as it is."""


@dataclass(frozen=True)
class Caller:
    """Who deploys where."""

    account_id: str
    region: str


def identify(session: boto3.session.Session) -> Caller:
    """The account and region that the session leads to.

    Raises:
        DeployError: no or an unknown region, no or expired credentials.
    """
    region = session.region_name
    if not region:
        raise DeployError("No region is set. Give --region, or set AWS_REGION.")
    known = session.get_available_regions("cloudformation", _partition(session, region))
    if region not in known:
        close = get_close_matches(region, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise DeployError(f"There is no AWS region {region!r}.{hint} Give --region, or set AWS_REGION.")
    with explained("find out who is signed in"):
        account_id = session.client("sts").get_caller_identity()["Account"]
    return Caller(account_id, region)


def _partition(session: boto3.session.Session, region: str) -> str:
    try:
        return session.get_partition_for_region(region)
    except ValueError:
        return "aws"


class Deployer:
    """The stacks of one environment in one account and region."""

    def __init__(self, session: boto3.session.Session, environment: str, console: Console) -> None:
        self._environment = environment
        self._console = console
        self._session = session
        self._clients: dict[str | None, Any] = {None: session.client("cloudformation")}
        self._s3: Any = session.client("s3")

    def plan(self, only: Sequence[str] | None, parameters: Mapping[str, str]) -> list[StackPlan]:
        """Show what :meth:`apply` would do, and leave nothing behind.

        Raises:
            DeployError: it could not be done.
        """
        _, plans = self._plans(only, parameters)
        self._discard(plans)
        report.show_plans(self._console, plans)
        return plans

    def apply(
        self, only: Sequence[str] | None, parameters: Mapping[str, str], confirm: Confirm
    ) -> list[StackPlan]:
        """Show the difference, ask, then deploy stack by stack; answers the plans that were carried out.

        Raises:
            DeployError: a stack cannot be deployed; those before it are, and CloudFormation brought
                the failed one back to where it was.
        """
        planner, plans = self._plans(only, parameters)
        report.show_plans(self._console, plans)
        if all(plan.kind == "unchanged" for plan in plans):
            return []
        try:
            if not confirm("Deploy this?"):
                raise DeployError("Nothing was deployed.")
        except BaseException:  # Ctrl-C at the question too
            self._discard(plans)
            raise
        done: list[StackPlan] = []
        for index, plan in enumerate(plans):
            try:
                done += [plan] if self._deploy(planner, plan) else []
            except DeployError:
                self._discard(plans[index + 1 :])
                raise
        return done

    def settings(self) -> dict[str, str]:
        """The settings that the outputs give (BRONZE_BUCKET, ...).

        Raises:
            DeployError: a stack or an output is missing.
        """
        planner = Planner(self._client, self._environment, {}, ())
        values = {name: planner.output(source) for name, source in SETTINGS.items()}
        optional = {name for name, source in SETTINGS.items() if BY_CONCERN[source.concern].optional}
        if missing := [name for name, value in values.items() if value is None and name not in optional]:
            raise DeployError(
                f"The stacks of {self._environment} give no {', '.join(missing)}. Deploy them first: "
                f"python -m ops.deploy apply --environment {self._environment}"
            )
        return {name: value for name, value in values.items() if value is not None}

    def status(self, *, with_drift: bool = False) -> list[tuple[StackSpec, str, StackInfo | None]]:
        """Show every stack: its state, how many resources it has, its outputs and, if asked, its drift.

        Raises:
            DeployError: a stack is busy, so that its drift cannot be told.
        """
        found = [
            (spec, name, find(self._client(spec), name))
            for spec in select(self._environment, None)
            for name in [spec.stack_name(self._environment)]
        ]
        counts = {
            stack.stack_id: self._count(self._client(spec), stack)
            for spec, _, stack in found
            if stack is not None
        }
        report.show_status(self._console, found, counts)
        if with_drift:
            drifts = {
                name: drift.detect(self._client(spec), stack.stack_id, name)
                for spec, name, stack in found
                if stack is not None and not stack.is_empty
            }
            report.show_drift(self._console, drifts)
        return found

    def _count(self, client: Any, stack: StackInfo) -> int:
        with explained(f"list the resources of {stack.name}"):
            pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.stack_id)
            return sum(
                each["ResourceStatus"] != "DELETE_COMPLETE"
                for page in pages
                for each in page["StackResourceSummaries"]
            )

    def destroy(self, only: Sequence[str] | None, confirm: Confirm, *, delete_data: bool) -> list[str]:
        """Remove the stacks, the last first; answers their names.

        Raises:
            DeployError: a bucket holds data and ``delete_data`` is not given (then nothing is
                removed), a stack is busy, or one cannot be removed.
        """
        found = [
            (spec, stack)
            for spec in reversed(select(self._environment, only))
            if (stack := find(self._client(spec), spec.stack_name(self._environment)))
        ]
        stacks = [stack for _, stack in found]
        if not stacks:
            self._console.print(f"Nothing to remove: {self._environment} has none of these stacks here.")
            return []
        for stack in stacks:
            if stack.status.endswith("_IN_PROGRESS"):
                require_settled(stack)
        owned = {stack.stack_id: self._buckets_of(self._client(spec), stack) for spec, stack in found}
        filled = [
            content
            for names in owned.values()
            for name in names
            if (content := buckets.content(self._s3, name)).objects
        ]
        for stack in stacks:
            self._console.print(f"  - {stack.name}", style="red")
        for content in filled:
            self._console.print(f"    holds data: {content}", style="bold red")
        if filled and not delete_data:
            raise DeployError(
                "Nothing was removed: buckets hold data. Look at it, and if it shall be gone for good, "
                "run the command again with --delete-data."
            )
        if not confirm(f"Remove these stacks of {self._environment}?"):
            raise DeployError("Nothing was removed.")
        for spec, stack in found:
            self._remove(self._client(spec), stack, owned[stack.stack_id] if delete_data else [])
        return [stack.name for stack in stacks]

    def _is_wanted(self, spec: StackSpec) -> bool:
        """Whether a stack that was not named takes part: an optional one only if it stands."""
        return not spec.optional or find(self._client(spec), spec.stack_name(self._environment)) is not None

    def _client(self, spec: StackSpec) -> Any:
        """CloudFormation in the stack's region."""
        if spec.region not in self._clients:
            self._clients[spec.region] = self._session.client("cloudformation", region_name=spec.region)
        return self._clients[spec.region]

    def _plans(
        self, only: Sequence[str] | None, parameters: Mapping[str, str]
    ) -> tuple[Planner, list[StackPlan]]:
        selected = [spec for spec in select(self._environment, only) if only or self._is_wanted(spec)]
        planner = Planner(self._client, self._environment, parameters, selected)
        planner.check()
        plans: list[StackPlan] = []
        try:
            for spec in selected:
                plans.append(planner.plan(spec, guess=True))
        except DeployError:
            self._discard(plans)
            raise
        return planner, plans

    def _discard(self, plans: Sequence[StackPlan]) -> None:
        for plan in plans:
            if plan.change_set is not None:
                change_sets.discard(self._client(plan.spec), plan.change_set, plan.proposal.name)

    def _deploy(self, planner: Planner, plan: StackPlan) -> bool:
        """Carry a plan out, after working it out again where its inputs were made up or have moved."""
        name, client = plan.proposal.name, self._client(plan.spec)
        if plan.kind == "recreate" and plan.existing is not None:
            self._console.print(f"{name}: removing the remains of a failed creation")
            self._remove(client, plan.existing, [])
        if plan.provisional or plan.kind == "recreate" or not planner.still_holds(plan):
            self._discard([plan])
            plan = planner.plan(plan.spec, guess=False)
        if plan.change_set is None:
            return False
        started = time.monotonic()
        self._console.print(f"{name}: deploying")
        stack_id = plan.change_set.stack_id
        last = following.latest_event(client, stack_id)
        change_sets.execute(client, plan.change_set, name)
        stack = following.follow(
            client, stack_id, last, lambda event: report.show_event(self._console, event)
        )
        if stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise DeployError(self._why(client, stack, last))
        self._console.print(f"{name}: {stack.status} in {time.monotonic() - started:.0f} s", style="green")
        return True

    def _why(self, client: Any, stack: StackInfo, last: str) -> str:
        causes = following.failures(client, stack.stack_id, last)
        lines = "\n".join(f"  - {cause}" for cause in causes)
        text = f"The stack {stack.name} could not be deployed and is in {stack.status}:\n{lines}"
        taken = [cause for cause in causes if "already exists" in cause and "AWS::S3::Bucket" in cause]
        if taken:
            text += (
                "\nA bucket of that name exists already: left behind by an earlier stack of yours, or "
                "owned by another account. Remove or empty it if it is yours (aws s3 ls), then run the "
                "command again."
            )
        return text

    def _buckets_of(self, client: Any, stack: StackInfo) -> list[str]:
        with explained(f"list the resources of {stack.name}"):
            pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.stack_id)
            return [
                resource["PhysicalResourceId"]
                for page in pages
                for resource in page["StackResourceSummaries"]
                if resource["ResourceType"] == "AWS::S3::Bucket"
                and resource["ResourceStatus"] != "DELETE_COMPLETE"
                and resource.get("PhysicalResourceId")
            ]

    def _remove(self, client: Any, stack: StackInfo, emptied: Sequence[str]) -> None:
        started = time.monotonic()
        settled = stack
        for _ in range(EMPTYING_ATTEMPTS if emptied else 1):
            remaining = [bucket for bucket in emptied if buckets.exists(self._s3, bucket)]
            if remaining:
                deleted = buckets.empty(self._s3, remaining)
                self._console.print(f"{stack.name}: deleted {deleted:,} objects")
            last = following.latest_event(client, stack.stack_id)
            with explained(f"remove the stack {stack.name}"):
                client.delete_stack(StackName=stack.stack_id)
            settled = following.follow(
                client,
                stack.stack_id,
                last,
                lambda event: report.show_event(self._console, event),
            )
            if settled.status == "DELETE_COMPLETE":
                seconds = time.monotonic() - started
                self._console.print(f"{stack.name}: removed in {seconds:.0f} s", style="green")
                return
        causes = following.failures(client, stack.stack_id, last)
        lines = "\n".join(f"  - {cause}" for cause in causes)
        raise DeployError(f"The stack {stack.name} could not be removed ({settled.status}):\n{lines}")
