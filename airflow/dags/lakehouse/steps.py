"""Steps of a cluster: submitted once, found again, cancelled, described."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse.aws_calls import call_once

log = logging.getLogger(__name__)

ADOPTABLE_STATES = ("PENDING", "RUNNING")
ENDED_STATES = ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")


@dataclass(frozen=True)
class StepStatus:
    """State of a step as DescribeStep says it: ``reason`` joins what it says of a failure, ``ended`` when."""

    name: str
    state: str
    reason: str
    ended: datetime | None = None


def find_live_step(emr: Any, cluster_id: str, name: str) -> str | None:
    """Id of the pending or running step of this name, the latest if there are several."""
    pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id, StepStates=list(ADOPTABLE_STATES))
    found = [step for page in pages for step in page["Steps"] if step["Name"] == name]
    if not found:
        return None
    latest: str = max(found, key=lambda step: step["Status"]["Timeline"]["CreationDateTime"])["Id"]
    log.info("Step %s (%s) is under way on %s already: adopting it", latest, name, cluster_id)
    return latest


def ensure_step(
    emr: Any,
    emr_without_retries: Any,
    cluster_id: str,
    step: Mapping[str, Any],
) -> str:
    """Id of the cluster's pending or running step of this name, submitted if there is none.

    A step that has ended is not taken up: whoever asks for it then wants it to run again.
    """

    def find() -> str | None:
        return find_live_step(emr, cluster_id, step["Name"])

    def submit() -> str:
        answer = emr_without_retries.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])
        step_id: str = answer["StepIds"][0]
        return step_id

    return call_once(submit, find)


def step_status(emr: Any, cluster_id: str, step_id: str) -> StepStatus:
    """Name, state and failure of a step."""
    step = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    status = step["Status"]
    failure = status.get("FailureDetails", {})
    change = status.get("StateChangeReason", {})
    said = (failure.get("Reason"), failure.get("Message"), change.get("Message"))
    return StepStatus(
        name=step["Name"],
        state=status["State"],
        reason="; ".join(dict.fromkeys(part for part in said if part)),
        ended=status.get("Timeline", {}).get("EndDateTime"),
    )


def cancel_request(cluster_id: str, step_id: str) -> dict[str, Any]:
    """Arguments of CancelSteps: a pending step never starts, a running one is interrupted."""
    return {
        "ClusterId": cluster_id,
        "StepIds": [step_id],
        "StepCancellationOption": "SEND_INTERRUPT",
    }
