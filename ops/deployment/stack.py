"""One stack as CloudFormation has it: its state, parameters and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.deployment.errors import DeployError, explained

UPDATABLE = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
)
LEFTOVER = ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED")
"""A creation that never succeeded: the stack holds nothing of use and can only be deleted."""


@dataclass(frozen=True)
class StackInfo:
    """What DescribeStacks says of an existing stack."""

    name: str
    stack_id: str
    status: str
    reason: str
    parameters: dict[str, str]
    outputs: dict[str, str]
    tags: dict[str, str]
    protected: bool

    @property
    def is_empty(self) -> bool:
        """Whether it is the shell of a change set that was never executed."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def is_leftover(self) -> bool:
        """Whether it is what remains of a failed creation."""
        return self.status in LEFTOVER


def find(cloudformation: Any, name: str) -> StackInfo | None:
    """The stack of that name, or None; ``name`` may be an id, also of a deleted stack.

    Raises:
        DeployError: CloudFormation cannot be asked.
    """
    with explained(f"look up the stack {name}"):
        try:
            answer = cloudformation.describe_stacks(StackName=name)
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise
    described = answer["Stacks"][0]
    return StackInfo(
        name=described["StackName"],
        stack_id=described["StackId"],
        status=described["StackStatus"],
        reason=described.get("StackStatusReason", ""),
        parameters={p["ParameterKey"]: p["ParameterValue"] for p in described.get("Parameters", ())},
        outputs={o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", ())},
        tags={t["Key"]: t["Value"] for t in described.get("Tags", ())},
        protected=described.get("EnableTerminationProtection", False),
    )


def require_settled(stack: StackInfo) -> None:
    """Refuse to touch a stack that someone else is changing or that needs a person.

    Raises:
        DeployError: saying what to do.
    """
    if stack.status in UPDATABLE or stack.is_leftover or stack.is_empty:
        return
    if stack.status.endswith("_IN_PROGRESS"):
        raise DeployError(
            f"The stack {stack.name} is in {stack.status}: another deployment is under way. Wait until it "
            "is done (python -m ops.deploy status), then run the command again."
        )
    advice = {
        "UPDATE_ROLLBACK_FAILED": (
            "Repair what its events name, then: aws cloudformation continue-update-rollback "
            f"--stack-name {stack.name}"
        ),
        "DELETE_FAILED": "Finish the removal first: python -m ops.deploy destroy",
    }
    raise DeployError(
        f"The stack {stack.name} is in {stack.status} and cannot be changed. "
        f"{advice.get(stack.status, 'Look at its events.')}"
    )
