"""The Amazon provider's EMR operators, made safe to retry, clear and kill.

They keep the provider's submission, links and waiting. What is added: a cluster and a step are made
once a run and adopted afterwards (``IdempotentEmrHook``); waiting ends with the step's own time limit
instead of after 30 minutes; a failure is told with the end of the step's log; and terminating goes by
the run's cluster name, so that it works whatever became of the task that created the cluster.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrTerminateJobFlowOperator,
)
from airflow.providers.amazon.aws.triggers.emr import EmrCreateJobFlowTrigger, EmrTerminateJobFlowTrigger
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred
from botocore.exceptions import ClientError

from lakehouse import step_logs
from lakehouse.clusters import (
    ENDED_STATES,
    READY_STATES,
    UNENDED_STATES,
    cluster_state,
    clusters_of,
)
from lakehouse.hooks import IdempotentEmrHook
from lakehouse.links import ClusterLink, QueryLink, StepLogLink, cluster_url, object_url, table_url
from lakehouse.step_logs import examine_failure, read_log, step_log_uri, tail
from lakehouse.steps import ADOPTABLE_STATES, cancel_request, step_status
from lakehouse.triggers import StepTrigger

CLUSTER_START_LIMIT = timedelta(minutes=30)
CLUSTER_END_LIMIT = timedelta(minutes=20)

FIRST_LOOK_SECONDS = 1.0

DIAGNOSIS = "diagnosis"
"""XCom key of why a task failed: its ``line``, of a step with the fields of ``diagnosis.Diagnosis``."""

GRACE = timedelta(minutes=2)
"""A deferral ends itself this much after its trigger should have: the triggerer may be gone."""


def trigger_arguments(operator: AwsBaseOperator[Any], limit: timedelta) -> dict[str, Any]:
    """What a trigger needs to talk to the same AWS as its operator, and to wait for at least ``limit``."""
    poll_seconds = int(operator.waiter_delay)
    return {
        "waiter_delay": poll_seconds,
        "waiter_max_attempts": math.ceil(limit.total_seconds() / poll_seconds) + 1,
        "aws_conn_id": operator.aws_conn_id,
        "region_name": operator.region_name,
        "verify": operator.verify,
        "botocore_config": operator.botocore_config,
    }


@contextmanager
def telling_why(task_instance: Any) -> Iterator[None]:
    """Leave what an exception says to the run's verdict."""
    try:
        yield
    except Exception as error:
        task_instance.xcom_push(key=DIAGNOSIS, value={"line": str(error)})
        raise


def settles(emr: Any, cluster_id: str, states: Sequence[str]) -> bool:
    """Whether a cluster is in one of these states a second from now.

    One that was adopted, or has nothing left to do, is: it spares the detour through the triggerer.
    """
    time.sleep(FIRST_LOOK_SECONDS)
    return cluster_state(emr, cluster_id)[0] in states


class CreateRunClusterOperator(EmrCreateJobFlowOperator):
    """Make this run's cluster, or adopt it, and wait until it takes steps.

    :param job_flow_overrides: the request of RunJobFlow; its name and tags identify the cluster.
    :param waiter_delay: seconds between two looks at its state (templated).
    """

    aws_hook_class = IdempotentEmrHook
    operator_extra_links = (ClusterLink(),)
    _job_flow_id: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(emr_conn_id=None, deferrable=False, **kwargs)

    def execute(self, context: Context) -> str:
        """Make or adopt the cluster, and defer unless it is ready.

        Raises:
            ClientError: EMR refuses the request; nothing was made.
        """
        with telling_why(context["ti"]):
            cluster_id = str(super().execute(context))
        ClusterLink.store(context["ti"], cluster_url(cluster_id, str(self.region_name)))
        event = {"job_flow_id": cluster_id}
        if settles(self.hook.conn, cluster_id, READY_STATES):
            return self.execute_complete(context, event)
        raise TaskDeferred(
            trigger=EmrCreateJobFlowTrigger(
                job_flow_id=cluster_id,
                **trigger_arguments(self, CLUSTER_START_LIMIT),
            ),
            method_name="execute_complete",
            timeout=CLUSTER_START_LIMIT + GRACE,
        )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """Id of the cluster, which is ready.

        Raises:
            AirflowException: it is not; with EMR's reason. The provider's waiter alone would take a
                cluster that has been terminated meanwhile for one that is ready.
        """
        cluster_id: str = (event or {})["job_flow_id"]
        with telling_why(context["ti"]):
            state, reason = cluster_state(self.hook.conn, cluster_id)
            if state not in READY_STATES:
                raise AirflowException(f"Cluster {cluster_id} did not get ready: {state} {reason}".rstrip())
        self.log.info("Cluster %s is %s", cluster_id, state)
        return cluster_id


class SparkStepOperator(EmrAddStepsOperator):
    """Run one step on the run's cluster; deferred while it runs.

    Skips itself when the run's parameter ``jobs`` leaves its task out.

    :param steps: a list of the one step (templated), which is named like the task.
    :param wait_limit: how long it may take, queueing included; longer than the step's own time limit.
    :param waiter_delay: seconds between two looks at its state (templated).
    :param database: where its tables lie (templated); the first of its outlets can be queried by a link.
    """

    aws_hook_class = IdempotentEmrHook
    operator_extra_links = (StepLogLink(), QueryLink(), ClusterLink())
    template_fields: Sequence[str] = (*EmrAddStepsOperator.template_fields, "waiter_delay", "database")

    def __init__(self, *, wait_limit: timedelta, waiter_delay: Any, database: str, **kwargs: Any) -> None:
        # Not deferrable in the provider's sense: its trigger cannot cancel, ours can.
        super().__init__(waiter_delay=waiter_delay, deferrable=False, **kwargs)
        self.wait_limit = wait_limit
        self.database = database
        self._submitted: tuple[str, str] | None = None

    def execute(self, context: Context) -> None:
        """Submit or adopt the step, then defer.

        Raises:
            AirflowSkipException: the run's parameter ``jobs`` does not name this task.
            ClientError: EMR refuses, for example because the cluster has ended.
        """
        if self.task_id not in context["params"].get("jobs", [self.task_id]):
            raise AirflowSkipException(f"{self.task_id} is not among this run's jobs")
        with telling_why(context["ti"]):
            (step_id,) = super().execute(context)
        cluster_id = str(self.job_flow_id)
        self._submitted = (cluster_id, step_id)
        log_uri = step_log_uri(self.hook.conn, cluster_id, step_id, "stderr")
        self.log.info("Step %s on cluster %s; its log will be %s", step_id, cluster_id, log_uri)
        context["ti"].xcom_push(key="step_id", value=step_id)
        context["ti"].xcom_push(key="log_uri", value=log_uri)
        self._store_links(context["ti"], cluster_id, log_uri)
        raise TaskDeferred(
            trigger=StepTrigger(
                job_flow_id=cluster_id,
                step_id=step_id,
                **trigger_arguments(self, self.wait_limit),
            ),
            method_name="execute_complete",
            kwargs={"step_id": step_id},
            timeout=self.wait_limit + GRACE,
        )

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, step_id: str = ""
    ) -> str:
        """Id of the step, which has completed; the end of its stdout goes to the task's log.

        Raises:
            AirflowFailException: it failed for a reason that a retry meets again, so Airflow does not retry.
            AirflowException: it failed for a reason that passes, was cancelled, has vanished, or outlived
                ``wait_limit`` (it is then cancelled); a retry submits it again.
        """
        cluster_id = str(self.job_flow_id)
        emr = self.hook.conn
        try:
            status = step_status(emr, cluster_id, step_id)
        except ClientError as error:
            raise AirflowException(f"Step {step_id} has vanished from {cluster_id}: {error}") from error
        if status.state == "COMPLETED":
            self._log_stdout(cluster_id, step_id)
            return step_id
        has_failed = status.state == "FAILED"
        wait_seconds = step_logs.LOG_WAIT_SECONDS if has_failed else 0.0
        failure = examine_failure(emr, self._s3, cluster_id, step_id, status, wait_seconds)
        self.log.error("%s", failure.report)
        summary = failure.summary
        if has_failed:
            context["ti"].xcom_push(key=DIAGNOSIS, value=failure.diagnosis.as_dict())
            raise (AirflowException if failure.diagnosis.retry_helps else AirflowFailException)(summary)
        if status.state in ADOPTABLE_STATES:
            emr.cancel_steps(**cancel_request(cluster_id, step_id))
            raise AirflowException(f"{summary}, and was cancelled: {(event or {}).get('message')}")
        raise AirflowException(summary)

    def on_kill(self) -> None:
        """Cancel the step, if it has been submitted; while deferred, the trigger does this."""
        if self._submitted:
            self.hook.conn.cancel_steps(**cancel_request(*self._submitted))

    def _store_links(self, task_instance: Any, cluster_id: str, log_uri: str | None) -> None:
        region = str(self.region_name)
        ClusterLink.store(task_instance, cluster_url(cluster_id, region))
        if log_uri:
            StepLogLink.store(task_instance, object_url(log_uri, region))
        for table in self.outlets[:1]:
            QueryLink.store(task_instance, table_url(self.database, table.name, region))

    @property
    def _s3(self) -> Any:
        return S3Hook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn

    def _log_stdout(self, cluster_id: str, step_id: str) -> None:
        uri = step_log_uri(self.hook.conn, cluster_id, step_id, "stdout")
        try:
            text = read_log(self._s3, uri) if uri else None
        except (ClientError, OSError) as error:
            text = f"(unreadable: {error})"
        self.log.info("The end of %s:\n%s", uri, tail(text) if text else "(not in S3 yet)")


class TerminateRunClusterOperator(EmrTerminateJobFlowOperator):
    """Terminate whatever lives of this run's cluster, and wait until it has ended.

    It goes by name and tags, so that it also finds a cluster whose id nobody got to know.

    :param cluster_request: the request (of RunJobFlow) that made the cluster (templated).
    :param waiter_delay: seconds between two looks at its state (templated).
    """

    template_fields: Sequence[str] = (
        *EmrTerminateJobFlowOperator.template_fields,
        "cluster_request",
        "waiter_delay",
    )

    def __init__(self, *, cluster_request: Any, waiter_delay: Any, **kwargs: Any) -> None:
        super().__init__(job_flow_id="", waiter_delay=waiter_delay, deferrable=False, **kwargs)
        self.cluster_request: Mapping[str, Any] = cluster_request

    def execute(self, context: Context) -> None:
        """Terminate one cluster after the other, deferring for one that takes its time."""
        emr = self.hook.conn
        cluster_id = next(clusters_of(emr, self.cluster_request, UNENDED_STATES), None)
        if cluster_id is None:
            self.log.info("No cluster of this run is left")
            return
        self.job_flow_id = cluster_id
        super().execute(context)
        if settles(emr, cluster_id, ENDED_STATES):
            return self.execute_complete(context, cluster_id=cluster_id)
        raise TaskDeferred(
            trigger=EmrTerminateJobFlowTrigger(
                job_flow_id=cluster_id,
                **trigger_arguments(self, CLUSTER_END_LIMIT),
            ),
            method_name="execute_complete",
            kwargs={"cluster_id": cluster_id},
            timeout=CLUSTER_END_LIMIT + GRACE,
        )

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, cluster_id: str = ""
    ) -> None:
        """Go on with the next cluster of the run, should there be one.

        Raises:
            AirflowException: this one has not ended. One that ended with errors has ended.
        """
        state, reason = cluster_state(self.hook.conn, cluster_id)
        if state not in ENDED_STATES:
            raise AirflowException(f"Cluster {cluster_id} does not end: {state} {reason}, {event}")
        self.log.info("Cluster %s is %s (%s)", cluster_id, state, reason)
        self.execute(context)
