"""DAGs of one job: a cluster of its own, the lease of the table of events, one step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowException

from config.jobs import INGEST_JOB, Job
from config.project_config import Settings
from lakehouse.alerts import late_run_alert
from lakehouse.defaults import DAG_ARGUMENTS
from lakehouse.lease import Lease, LeasedError
from lakehouse.operators import CLUSTER_START_LIMIT
from lakehouse.tasks import check_settings, publish_bundle
from lakehouse.wiring import create_cluster, end_run, run_step, step_wait_limit

LATE_AFTER = timedelta(hours=6)
"""A run of one job that takes longer is told of."""

ONE_JOB_ARGUMENTS: dict[str, Any] = {**DAG_ARGUMENTS, "deadline": late_run_alert(LATE_AFTER)}
"""Arguments of every DAG of one job."""

LEASE_POLL = timedelta(minutes=2)

LEASE_PATIENCE = 150
"""So often the lease is asked for: longer than any lease lasts."""


def wire_one_job(job: Job) -> None:
    """The tasks of a DAG that runs one job on the tables, to be called within it."""
    checked = check_settings()
    steps = publish_bundle(checked["settings"], [job.name])
    wait_limit = step_wait_limit([job])
    leased = take_lease(checked["settings"], int((CLUSTER_START_LIMIT + wait_limit).total_seconds()))
    create = create_cluster(checked)
    step = run_step(job, create, steps, wait_limit)
    given_back = give_back_lease(checked["settings"])
    given_back.as_teardown(setups=leased)
    ends, _ = end_run(checked, [steps, leased, create], [job.name])
    steps >> leased >> create >> step >> [*ends, given_back]


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
