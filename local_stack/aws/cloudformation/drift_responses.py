"""The operations of drift detection; it is done when the request that asks for it answers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from moto.core.responses import ActionResult, BaseResponse

from local_stack.aws.cloudformation.drift import Detection
from local_stack.aws.cloudformation.errors import ValidationError
from local_stack.aws.cloudformation.service import StackService
from local_stack.aws.cloudformation.state import Stack


class DriftResponse(BaseResponse):
    """DetectStackDrift and what asks for its outcome."""

    @property
    @abstractmethod
    def service(self) -> StackService:
        """The stacks of the caller's account and region."""

    def detect_stack_drift(self) -> ActionResult:
        """DetectStackDrift, of all resources."""
        stack = self.service.find(self._get_param("StackName"))
        return ActionResult({"StackDriftDetectionId": self.service.detect_drift(stack).detection_id})

    def describe_stack_drift_detection_status(self) -> ActionResult:
        """DescribeStackDriftDetectionStatus."""
        wanted = self._get_param("StackDriftDetectionId")
        for stack in self.service.all():
            if stack.drift is not None and stack.drift.detection_id == wanted:
                return ActionResult(
                    {
                        "StackId": stack.stack_id,
                        "StackDriftDetectionId": wanted,
                        "StackDriftStatus": stack.drift.status,
                        "DetectionStatus": "DETECTION_COMPLETE",
                        "DriftedStackResourceCount": stack.drift.drifted,
                        "Timestamp": stack.drift.checked_at,
                    }
                )
        raise ValidationError(f"Drift detection {wanted} does not exist")

    def describe_stack_resource_drifts(self) -> ActionResult:
        """DescribeStackResourceDrifts: of the last detection, those of the wanted states."""
        stack = self.service.find(self._get_param("StackName"))
        wanted = self._get_param("StackResourceDriftStatusFilters") or []
        detection = stack.drift or Detection(())
        return ActionResult(
            {
                "StackResourceDrifts": [
                    each.describe(stack.stack_id, detection.checked_at)
                    for each in detection.resources
                    if not wanted or each.status in wanted
                ]
            }
        )


def drift_information(stack: Stack) -> dict[str, Any]:
    """The DriftInformation of a stack."""
    if stack.drift is None:
        return {"StackDriftStatus": "NOT_CHECKED"}
    return {"StackDriftStatus": stack.drift.status, "LastCheckTimestamp": stack.drift.checked_at}
