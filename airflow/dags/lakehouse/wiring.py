"""What the DAGs that run jobs on EMR are wired of: a run's cluster, a job's step, the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from config.jobs import KILL_AFTER_SECONDS, Job
from lakehouse.alerts import AlertKind, alert_on_failure
from lakehouse.assets import table_asset
from lakehouse.operators import CreateRunClusterOperator, SparkStepOperator, TerminateRunClusterOperator
from lakehouse.tasks import all_jobs_done, record_run

CLEAN_UP = timedelta(minutes=10)

EMR_ARGUMENTS: dict[str, Any] = {
    "aws_conn_id": None,
    "region_name": "{{ ti.xcom_pull(task_ids='check_settings', key='region') }}",
    "waiter_delay": "{{ ti.xcom_pull(task_ids='check_settings', key='poll_seconds') }}",
}
"""Arguments of every EMR operator, templated: region and pace come from the checked settings.

There is no Airflow connection: credentials and endpoint come from the environment, as for any SDK.
"""

DATABASE = "{{ ti.xcom_pull(task_ids='check_settings', key='settings')['glue_database'] }}"
"""The database of the checked settings, templated."""


def step_wait_limit(jobs: Sequence[Job]) -> timedelta:
    """How long a step of a run may take, queueing behind all the others included."""
    limits = (timedelta(minutes=job.time_limit_minutes, seconds=KILL_AFTER_SECONDS) for job in jobs)
    return sum(limits, start=CLEAN_UP)


def create_cluster(checked: Any) -> CreateRunClusterOperator:
    """The task that makes the run's cluster; ``checked`` is what ``check_settings`` returns."""
    return CreateRunClusterOperator(
        task_id="create_cluster",
        job_flow_overrides=checked["cluster_request"],
        doc_md="This run's EMR cluster, made or adopted; ready when it ends",
        **EMR_ARGUMENTS,
    )


def run_step(
    job: Job, create: CreateRunClusterOperator, steps: Any, wait_limit: timedelta
) -> SparkStepOperator:
    """The task that runs a job on the cluster; ``steps`` is what ``publish_bundle`` returns."""
    return SparkStepOperator(
        task_id=job.name,
        job_flow_id=create.output,
        steps=[steps[job.name]],
        wait_limit=wait_limit,
        database=DATABASE,
        doc_md=job.doc,
        outlets=[table_asset(table) for table in job.outputs],
        **EMR_ARGUMENTS,
    )


def end_run(checked: Any, setups: Sequence[Any], job_names: list[str]) -> tuple[list[Any], Any]:
    """The teardowns of a run: its verdict and its cluster's end, to be put behind its jobs; and its record.

    What the run did is recorded once the cluster has ended. ``setups`` are the tasks up to the one that makes
    the cluster: they run again when a job is cleared, and with one of them done the teardowns run.
    """
    terminate = TerminateRunClusterOperator(
        task_id="terminate_cluster",
        cluster_request=checked["cluster_request"],
        retries=5,
        doc_md="Ends whatever lives of this run's cluster, whatever happened before",
        on_failure_callback=alert_on_failure("Cluster not terminated", AlertKind.LEAKED_CLUSTER),
        **EMR_ARGUMENTS,
    )
    verdict = all_jobs_done(job_names)
    record = record_run(checked["settings"], checked["cluster_request"])
    terminate.as_teardown(setups=[checked, *setups], on_failure_fail_dagrun=True)
    verdict.as_teardown(setups=checked, on_failure_fail_dagrun=True)
    record.as_teardown(setups=checked)
    terminate >> record
    return [verdict, terminate], record
