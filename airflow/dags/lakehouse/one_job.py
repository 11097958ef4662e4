"""DAGs of one job: a cluster of its own, the lease of the table of events, one step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowException

from config.jobs import INGEST_JOB, Job
from config.project_config import Settings
from lakehouse.alerts import AlertKind, alert_on_failure
from lakehouse.assets import table_asset
from lakehouse.lease import Lease, LeasedError
from lakehouse.operators import (
    CLUSTER_START_LIMIT,
    CreateRunClusterOperator,
    SparkStepOperator,
    TerminateRunClusterOperator,
)
from lakehouse.tasks import (
    DATABASE,
    EMR_ARGUMENTS,
    all_jobs_done,
    check_settings,
    publish_bundle,
    record_run,
    step_wait_limit,
)

LATE_AFTER = timedelta(hours=6)
"""A run of one job that takes longer is told of."""

LEASE_POLL = timedelta(minutes=2)

LEASE_PATIENCE = 150
"""So often the lease is asked for: longer than any lease lasts."""


def wire_one_job(job: Job) -> None:
    """The tasks of a DAG that runs one job on the tables, to be called within it."""
    checked = check_settings()
    steps = publish_bundle(checked["settings"], [job.name])
    wait_limit = step_wait_limit([job])
    leased = take_lease(checked["settings"], int((CLUSTER_START_LIMIT + wait_limit).total_seconds()))
    create = CreateRunClusterOperator(
        task_id="create_cluster",
        job_flow_overrides=checked["cluster_request"],
        doc_md="This run's EMR cluster, made or adopted; ready when it ends",
        **EMR_ARGUMENTS,
    )
    terminate = TerminateRunClusterOperator(
        task_id="terminate_cluster",
        cluster_request=checked["cluster_request"],
        retries=5,
        doc_md="Ends whatever lives of this run's cluster, whatever happened before",
        on_failure_callback=alert_on_failure("Cluster not terminated", AlertKind.LEAKED_CLUSTER),
        **EMR_ARGUMENTS,
    )
    record = record_run(checked["settings"], checked["cluster_request"])
    verdict = all_jobs_done([job.name])
    step = SparkStepOperator(
        task_id=job.name,
        job_flow_id=create.output,
        steps=[steps[job.name]],
        wait_limit=wait_limit,
        database=DATABASE,
        doc_md=job.doc,
        outlets=[table_asset(table) for table in job.outputs],
        **EMR_ARGUMENTS,
    )
    given_back = give_back_lease(checked["settings"])
    # As setups they run again when the job is cleared; with one of them done, the teardowns run.
    terminate.as_teardown(setups=[checked, steps, leased, create], on_failure_fail_dagrun=True)
    verdict.as_teardown(setups=checked, on_failure_fail_dagrun=True)
    record.as_teardown(setups=checked)
    given_back.as_teardown(setups=leased)
    terminate >> record
    steps >> leased >> create >> step >> [verdict, terminate, given_back]


@task(retries=LEASE_PATIENCE, retry_delay=LEASE_POLL, retry_exponential_backoff=False)
def take_lease(settings: dict[str, Any], seconds: int) -> str:
    """Wait, outside of any worker, until nobody else rewrites the table of events; returns the holder's name.

    Raises:
        AirflowException: somebody else has the lease; the next try is in two minutes.
    """
    lease = _lease(settings)
    try:
        lease.take(timedelta(seconds=seconds), datetime.now(UTC))
    except LeasedError as error:
        raise AirflowException(str(error)) from error
    return lease.holder


@task
def give_back_lease(settings: dict[str, Any]) -> bool:
    """Let others begin; whether the lease was still ours."""
    return _lease(settings).give_back(datetime.now(UTC))


def _lease(settings: dict[str, Any]) -> Lease:
    checked = Settings(**settings)
    context = get_current_context()
    return Lease(
        s3=boto3.client("s3", region_name=checked.aws_region),
        bucket=checked.iceberg_bucket,
        table=INGEST_JOB.table,
        holder=f"{context['dag'].dag_id} {context['run_id']}",
    )
