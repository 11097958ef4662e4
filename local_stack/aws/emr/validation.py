"""What EMR refuses at once, and what the emulation refuses because it would have to ignore it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.emr.exceptions import InvalidRequestException, ValidationException

from local_stack.aws.emr import configurations
from local_stack.aws.emr.model import ActionOnFailure

MAX_ACTIVE_STEPS = 256
MAX_LISTED_STEP_IDS = 10
MAX_TERMINATED_CLUSTERS = 10
CONCURRENCY_LIMITS = (1, 256)
IDLE_LIMITS_SECONDS = (60, 604_800)

RUN_JOB_FLOW_MEMBERS = frozenset(
    {
        "Applications",
        "AutoTerminationPolicy",
        "BootstrapActions",
        "Configurations",
        "EbsRootVolumeIops",
        "EbsRootVolumeSize",
        "EbsRootVolumeThroughput",
        "Instances",
        "JobFlowRole",
        "LogUri",
        "ManagedScalingPolicy",
        "Name",
        "ReleaseLabel",
        "ScaleDownBehavior",
        "SecurityConfiguration",
        "ServiceRole",
        "StepConcurrencyLevel",
        "Steps",
        "Tags",
        "VisibleToAllUsers",
    }
)
"""Members of RunJobFlow that are honoured, or that have no effect on one machine."""


def check_run_job_flow(request: Mapping[str, Any]) -> None:
    """Check a RunJobFlow request.

    Raises:
        ValidationException: it asks for what EMR or the emulation does not do.
    """
    unknown = sorted(request.keys() - RUN_JOB_FLOW_MEMBERS)
    if unknown:
        raise ValidationException(f"RunJobFlow with {', '.join(unknown)} is not emulated.")
    if "InstanceFleets" in request["Instances"]:
        raise ValidationException("RunJobFlow with InstanceFleets is not emulated: use InstanceGroups.")
    try:
        configurations.read(request.get("Configurations") or [])
    except configurations.UnsupportedConfigurationError as error:
        raise ValidationException(str(error)) from error
    level = request.get("StepConcurrencyLevel", 1)
    check_concurrency(level)
    check_steps(request.get("Steps") or [], level)
    policy = request.get("AutoTerminationPolicy") or {}
    if "IdleTimeout" in policy:
        check_idle_timeout(policy["IdleTimeout"])


def check_steps(steps: Iterable[Mapping[str, Any]], concurrency: int) -> None:
    """Check the steps of a request to a cluster of that step concurrency.

    Raises:
        ValidationException: an ActionOnFailure that is unknown, or not possible with concurrency.
    """
    for step in steps:
        action = step.get("ActionOnFailure", ActionOnFailure.TERMINATE_CLUSTER)
        if action not in list(ActionOnFailure):
            raise ValidationException(
                f"ActionOnFailure {action!r} is not valid: use {', '.join(ActionOnFailure)}."
            )
        if concurrency > 1 and action != ActionOnFailure.CONTINUE:
            raise ValidationException(
                f"The ActionOnFailure setting {action} is not valid when StepConcurrencyLevel is greater "
                "than 1: only CONTINUE is supported."
            )


def check_concurrency(level: int | None) -> None:
    """Check a StepConcurrencyLevel.

    Raises:
        ValidationException: it is out of range.
    """
    low, high = CONCURRENCY_LIMITS
    if level is None or not low <= level <= high:
        raise ValidationException(f"StepConcurrencyLevel {level} is not valid: it must be {low} to {high}.")


def check_idle_timeout(seconds: int) -> None:
    """Check an IdleTimeout.

    Raises:
        ValidationException: it is out of range.
    """
    low, high = IDLE_LIMITS_SECONDS
    if not low <= seconds <= high:
        raise ValidationException(f"IdleTimeout {seconds} is not valid: it must be {low} to {high} seconds.")


def check_step_ids(step_ids: list[str]) -> None:
    """Check the StepIds of ListSteps.

    Raises:
        InvalidRequestException: there are too many.
    """
    if len(step_ids) > MAX_LISTED_STEP_IDS:
        raise InvalidRequestException(f"StepIds may have at most {MAX_LISTED_STEP_IDS} members.")


def check_terminated_ids(cluster_ids: list[str]) -> None:
    """Check the JobFlowIds of TerminateJobFlows.

    Raises:
        ValidationException: there are too many.
    """
    if len(cluster_ids) > MAX_TERMINATED_CLUSTERS:
        raise ValidationException(f"JobFlowIds may have at most {MAX_TERMINATED_CLUSTERS} members.")
