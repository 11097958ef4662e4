"""An account of one's own in the shared emulated AWS, and stacks in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from tests.support.accounts import Account, new_account
from tests.support.emulated_aws import EmulatedAws


@pytest.fixture(scope="module")
def account(emulated_aws: EmulatedAws) -> Account:
    """A fresh account for the module."""
    return new_account(emulated_aws)


class Stacks:
    """Makes and looks at stacks."""

    def __init__(self, account: Account) -> None:
        self.api = account.client("cloudformation")

    def create(self, name: str, template: str, *, tags: Mapping[str, str] | None = None, **given: str) -> str:
        """Create a stack; answers its id."""
        made = self.api.create_stack(
            StackName=name,
            TemplateBody=template,
            Parameters=parameters(given),
            Tags=[{"Key": k, "Value": v} for k, v in (tags or {}).items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        return str(made["StackId"])

    def update(self, name: str, template: str, **given: str) -> None:
        """Update a stack."""
        self.api.update_stack(
            StackName=name,
            TemplateBody=template,
            Parameters=parameters(given),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def propose(self, name: str, template: str, kind: str = "UPDATE", **given: str) -> dict[str, Any]:
        """A change set, described with its values."""
        made = self.api.create_change_set(
            StackName=name,
            ChangeSetName=f"change-{uuid4()}",
            ChangeSetType=kind,
            TemplateBody=template,
            Parameters=parameters(given),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        described: dict[str, Any] = self.api.describe_change_set(
            ChangeSetName=made["Id"], IncludePropertyValues=True
        )
        return described

    def describe(self, name: str) -> dict[str, Any]:
        """DescribeStacks of one stack."""
        described: dict[str, Any] = self.api.describe_stacks(StackName=name)["Stacks"][0]
        return described

    def outputs(self, name: str) -> dict[str, str]:
        """The outputs by key."""
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe(name)["Outputs"]}

    def events(self, name: str) -> list[tuple[str, str]]:
        """(logical id, status), oldest first."""
        events = self.api.describe_stack_events(StackName=name)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def reasons(self, name: str) -> str:
        """Everything the events say went wrong."""
        events = self.api.describe_stack_events(StackName=name)["StackEvents"]
        failed = [e for e in reversed(events) if e["ResourceStatus"].endswith("_FAILED")]
        return "\n".join(e.get("ResourceStatusReason", "") for e in failed)

    def physical_ids(self, name: str) -> dict[str, str]:
        """Physical by logical ids."""
        resources = self.api.describe_stack_resources(StackName=name)["StackResources"]
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}


def parameters(given: Mapping[str, str]) -> list[dict[str, str]]:
    """Parameters in the API's form."""
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]


@pytest.fixture(scope="module")
def stacks(account: Account) -> Stacks:
    """Stacks in the module's account."""
    return Stacks(account)
