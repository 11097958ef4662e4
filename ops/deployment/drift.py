"""What was changed by hand behind CloudFormation's back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

from ops.deployment.errors import DeployError, explained

DETECTION_SECONDS = 600


@dataclass(frozen=True)
class Drift:
    """A resource that is not as its stack asked for, with each property: its path, expected, actual.

    ``is_deleted``: it is gone altogether.
    """

    logical_id: str
    type: str
    is_deleted: bool
    properties: tuple[tuple[str, str, str], ...]


def detect(client: Any, stack_id: str, name: str) -> Sequence[Drift]:
    """Have CloudFormation compare a stack's resources with what it asked for, as far as it can.

    Raises:
        DeployError: it cannot, or takes longer than ``DETECTION_SECONDS``.
    """
    with explained(f"look for drift of {name}"):
        detection = client.detect_stack_drift(StackName=stack_id)["StackDriftDetectionId"]
        polling = Retrying(
            retry=retry_if_result(lambda status: status["DetectionStatus"] == "DETECTION_IN_PROGRESS"),
            wait=wait_exponential(multiplier=0.5, max=5),
            stop=stop_after_delay(DETECTION_SECONDS),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        status: dict[str, Any] = polling(
            client.describe_stack_drift_detection_status, StackDriftDetectionId=detection
        )
        if status["DetectionStatus"] != "DETECTION_COMPLETE":
            reason = status.get("DetectionStatusReason", status["DetectionStatus"])
            raise DeployError(f"The drift of {name} cannot be told: {reason}")
        pages = _pages(client, stack_id)
        return [_drift(each) for page in pages for each in page["StackResourceDrifts"]]


def _pages(client: Any, stack_id: str) -> Any:
    arguments: dict[str, Any] = {
        "StackName": stack_id,
        "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
    }
    while True:
        page = client.describe_stack_resource_drifts(**arguments)
        yield page
        if not page.get("NextToken"):
            return
        arguments["NextToken"] = page["NextToken"]


def _drift(described: dict[str, Any]) -> Drift:
    return Drift(
        described["LogicalResourceId"],
        described["ResourceType"],
        described["StackResourceDriftStatus"] == "DELETED",
        tuple(
            (each["PropertyPath"], each["ExpectedValue"], each["ActualValue"])
            for each in described.get("PropertyDifferences", ())
        ),
    )
