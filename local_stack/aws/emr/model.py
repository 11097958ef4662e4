"""Clusters and steps as EMR has them: their states, and the rules by which these change.

Nothing here runs anything. The API and the runner change a cluster only while they hold ``STATE``,
and notify it, so that the runner looks again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from moto.core.utils import utcnow
from moto.emr import models
from moto.emr.exceptions import InvalidCluster
from moto.emr.utils import random_id

STATE = threading.Condition(threading.RLock())
"""Guards every cluster; notified when one changes."""


class ClusterState(StrEnum):
    """EMR's cluster states."""

    STARTING = "STARTING"
    BOOTSTRAPPING = "BOOTSTRAPPING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    TERMINATED_WITH_ERRORS = "TERMINATED_WITH_ERRORS"


class StepState(StrEnum):
    """EMR's step states, those that occur here."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class ActionOnFailure(StrEnum):
    """What a failed step does to its cluster; TERMINATE_JOB_FLOW is an older word for TERMINATE_CLUSTER."""

    CONTINUE = "CONTINUE"
    CANCEL_AND_WAIT = "CANCEL_AND_WAIT"
    TERMINATE_CLUSTER = "TERMINATE_CLUSTER"
    TERMINATE_JOB_FLOW = "TERMINATE_JOB_FLOW"


class CancellationOption(StrEnum):
    """How a running step is cancelled: asked (SIGTERM) or killed (SIGKILL)."""

    SEND_INTERRUPT = "SEND_INTERRUPT"
    TERMINATE_PROCESS = "TERMINATE_PROCESS"


ENDED = (ClusterState.TERMINATED, ClusterState.TERMINATED_WITH_ERRORS)
ENDING = (ClusterState.TERMINATING, *ENDED)
READY = (ClusterState.RUNNING, ClusterState.WAITING)


@dataclass(frozen=True)
class Reason:
    """EMR's StateChangeReason."""

    code: str | None
    message: str


@dataclass(frozen=True)
class Failure:
    """EMR's FailureDetails: what is known of why a step failed.

    ``message`` is a line of its logs, ``log_file`` the S3 URI of the one it is from; empty if there is none.
    """

    reason: str
    message: str
    log_file: str


class Step(models.Step):
    """A step; it waits as PENDING until the runner takes it."""

    def __init__(self, state: str = StepState.PENDING, **details: Any) -> None:
        super().__init__(state=state, **details)
        self.failure: Failure | None = None
        self.cancellation: CancellationOption | None = None
        self.cancellation_sent: CancellationOption | None = None
        self.last_state_change_reason: str | None = None
        self.execution_role_arn: str | None = None

    @property
    def status(self) -> dict[str, Any]:
        """The step's status as DescribeStep answers it."""
        status: dict[str, Any] = super().status
        if self.failure:
            said = {"Message": self.failure.message, "LogFile": self.failure.log_file}
            status["FailureDetails"] = {
                "Reason": self.failure.reason,
                **{name: text for name, text in said.items() if text},
            }
        return status

    def begin(self) -> None:
        """Go from PENDING to RUNNING."""
        self.state = StepState.RUNNING
        self.start()

    def end(
        self,
        state: StepState,
        *,
        at: datetime | None = None,
        message: str | None = None,
        failure: Failure | None = None,
    ) -> None:
        """Go to a final state: now, or at the time (in UTC) that its process ended."""
        self.state = state
        self.end_date_time = at or utcnow()
        self.last_state_change_reason = message
        self.failure = failure


@dataclass
class Node:
    """One machine of an instance group, as ListInstances shows it. No EC2 instance stands behind it."""

    ec2_instance_id: str
    instance_group: models.InstanceGroup
    instance_type: str
    market: str
    id: str = field(default_factory=lambda: f"ci-{random_id()}")
    private_ip_address: str = "127.0.0.1"
    private_dns_name: str = "localhost"
    public_dns_name: str = "localhost"

    @property
    def instance_group_id(self) -> str:
        """Id of its group."""
        return str(self.instance_group.id)

    @property
    def status(self) -> dict[str, Any]:
        """Its status: the group's."""
        status: dict[str, Any] = self.instance_group.status
        return status


class Cluster(models.Cluster):
    """A cluster whose states the runner moves on: it starts as STARTING and does nothing by itself."""

    def __init__(self, *arguments: Any, **details: Any) -> None:
        self.reason: Reason | None = None
        self.idle_timeout: timedelta | None = None
        self.managed_scaling_policy: dict[str, Any] | None = None
        self.idle_since: datetime | None = None
        super().__init__(*arguments, **details)
        for step in self.steps:
            # moto marks the first step as started.
            step.start_date_time = None

    @property
    def status(self) -> dict[str, Any]:
        """The cluster's status as DescribeCluster answers it."""
        status: dict[str, Any] = super().status
        if self.reason:
            status["StateChangeReason"] = {"Code": self.reason.code, "Message": self.reason.message}
        return status

    @property
    def master_public_dns_name(self) -> str:
        """The primary node is this machine."""
        return "localhost"

    @property
    def primary_instance_id(self) -> str:
        """EC2 id of the primary node, by which its logs are filed."""
        for node in self.ec2_instances:
            if node.instance_group.role == "MASTER":
                return str(node.ec2_instance_id)
        return "i-primary"

    def run_bootstrap_actions(self) -> None:
        """Leave it to the runner; moto would be done at once."""

    def add_steps(self, steps: list[dict[str, Any]]) -> list[Step]:
        """Append steps as PENDING."""
        added = [Step(**step) for step in steps]
        self.steps.extend(added)
        self.idle_since = None
        return added

    def steps_in(self, *states: StepState) -> list[Step]:
        """The steps in any of ``states``, oldest first."""
        return [step for step in self.steps if step.state in states]

    def become_ready(self, now: datetime) -> None:
        """Bootstrapped: take steps from now on."""
        self.ready_datetime = now
        self.settle(now)

    def settle(self, now: datetime) -> None:
        """Be RUNNING while there is a step to run, else WAITING or, if it is not to be kept, TERMINATING."""
        if self.steps_in(StepState.PENDING, StepState.RUNNING):
            self.state = ClusterState.RUNNING
            self.reason = Reason(None, "Running step")
            self.idle_since = None
        elif self.keep_job_flow_alive_when_no_steps:
            self.state = ClusterState.WAITING
            ready = "after last step completed." if self.steps else "to run steps."
            self.reason = Reason(None, f"Cluster ready {ready}")
            self.idle_since = self.idle_since or now
        else:
            failed = self.steps_in(StepState.FAILED)
            message = "Steps completed with errors" if failed else "Steps completed"
            self.begin_termination(Reason("ALL_STEPS_COMPLETED", message))

    def is_idle_too_long(self, now: datetime) -> bool:
        """Whether auto-termination is due. Termination protection holds it off."""
        if self.state != ClusterState.WAITING or self.termination_protected:
            return False
        if self.idle_timeout is None or self.idle_since is None:
            return False
        return now - self.idle_since >= self.idle_timeout

    def step_failed(self, step: Step) -> None:
        """Act on the failure of a step as its ActionOnFailure says.

        With step concurrency above 1 only CONTINUE has an effect, as on AWS. Termination protection
        keeps the cluster, so the pending steps are cancelled instead.
        """
        action = step.action_on_failure
        if action == ActionOnFailure.CONTINUE or self.step_concurrency_level > 1:
            return
        for pending in self.steps_in(StepState.PENDING):
            pending.end(StepState.CANCELLED, message="Job terminated")
        if action == ActionOnFailure.CANCEL_AND_WAIT or self.termination_protected:
            # As on AWS, even if the cluster was to end after its steps.
            self.keep_job_flow_alive_when_no_steps = True
        else:
            self.begin_termination(Reason("STEP_FAILURE", "Shut down as step failed"))

    def begin_termination(self, reason: Reason) -> None:
        """Stop taking steps: pending ones are cancelled, the runner ends the running ones."""
        if self.state in ENDING:
            return
        self.state = ClusterState.TERMINATING
        self.reason = reason
        for step in self.steps_in(StepState.PENDING):
            step.end(StepState.CANCELLED, message="Job terminated")

    def end(self) -> None:
        """Go from TERMINATING to the final state that the reason asks for."""
        with_errors = self.reason is not None and self.reason.code in _ERROR_CODES
        self.state = ClusterState.TERMINATED_WITH_ERRORS if with_errors else ClusterState.TERMINATED
        self.end_datetime = utcnow()
        for group in self.instance_groups:
            group.state = "TERMINATED"
            group.end_date_time = self.end_datetime

    def abandon(self) -> None:
        """End at once: the process that ran it is gone, and its steps with it."""
        for step in self.steps_in(StepState.RUNNING):
            step.end(StepState.CANCELLED, message="Job terminated")
        self.begin_termination(Reason("INTERNAL_ERROR", "The emulated AWS was restarted"))
        self.end()

    def terminate(self) -> None:
        """What moto calls for TerminateJobFlows."""
        self.begin_termination(Reason("USER_REQUEST", "Terminated by user request"))


_ERROR_CODES = ("INTERNAL_ERROR", "VALIDATION_ERROR", "BOOTSTRAP_FAILURE", "STEP_FAILURE")


class Clusters(dict[str, Cluster]):
    """The clusters of one account and region; an unknown id is AWS's error, not a KeyError."""

    def __missing__(self, cluster_id: str) -> Cluster:
        raise InvalidCluster(cluster_id)
