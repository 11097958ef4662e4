"""Sensor events to KPI tables, on an EMR cluster of their own.

| task | does |
|---|---|
| `check_settings` | reads the environment; one message lists everything that is wrong with it |
| `publish_bundle` | uploads the code of the jobs to the scripts bucket, unless it is there |
| `create_cluster` | starts this run's EMR cluster and waits until it is ready |
| `kpi_...` | one EMR step each: reads the bronze events, writes Iceberg tables (its assets) |
| `terminate_cluster` | ends the cluster, whatever happened before |
| `all_kpis_done` | fails with any of the jobs, so that a run with half the tables is never green |

**To run it:** trigger it; the defaults are right. In prod it runs daily at 03:00 UTC. Runs never overlap.

**When a job fails:** its task's log ends with EMR's reason, the place of the step's log and the last
lines of stderr. Mend the cause and clear the task: code is published again, the cluster is started
again if it has gone, and only the cleared jobs run. Jobs may run any number of times.

**Safe by construction:** a retry adopts the cluster and the running step of its own run. Clearing a
task, or marking it as failed, cancels its step. A step has a time limit; an idle cluster ends itself.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, TaskGroup, TriggerRule, dag

from config import names
from config.jobs import KPI_JOBS
from lakehouse.assets import table_asset
from lakehouse.defaults import DAG_DEFAULT_ARGS, START_DATE, profile_while_parsing
from lakehouse.operators import CreateRunClusterOperator, SparkStepOperator, TerminateRunClusterOperator
from lakehouse.tasks import EMR_ARGUMENTS, check_settings, publish_bundle, step_wait_limit

JOB_NAMES = [job.name for job in KPI_JOBS]
WAIT_LIMIT = step_wait_limit(KPI_JOBS)

PARAMS = {
    "jobs": Param(
        JOB_NAMES,
        title="KPI jobs",
        description="The jobs to run; the others are skipped.",
        type="array",
        items={"type": "string", "enum": JOB_NAMES},
        examples=JOB_NAMES,
        minItems=1,
        uniqueItems=True,
    ),
    "core_nodes": Param(
        None,
        title="EMR core nodes",
        description="Core nodes of this run's cluster, 1 to 20. Empty: as many as the environment has.",
        type=["null", "integer"],
        minimum=1,
        maximum=20,
    ),
}


@dag(
    dag_id=names.DAG_ID,
    description="Sensor events to five KPI tables, on an EMR cluster of their own",
    doc_md=__doc__,
    schedule=profile_while_parsing().schedule,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DAG_DEFAULT_ARGS,
    params=PARAMS,
    tags=["emr", "iceberg", "kpi"],
)
def clickstream_emr_kpis() -> None:
    """Wire the tasks."""
    checked = check_settings()
    steps = publish_bundle(checked["settings"], JOB_NAMES)
    create = CreateRunClusterOperator(
        task_id="create_cluster", job_flow_overrides=checked["cluster_request"], **EMR_ARGUMENTS
    )
    terminate = TerminateRunClusterOperator(
        task_id="terminate_cluster", cluster_request=checked["cluster_request"], retries=5, **EMR_ARGUMENTS
    )
    # A teardown that can fail the run hides its upstream tasks from the run's verdict: this leaf shows them.
    all_done = EmptyOperator(task_id="all_kpis_done", trigger_rule=TriggerRule.NONE_FAILED)

    with TaskGroup("kpis", prefix_group_id=False) as kpis:
        for job in KPI_JOBS:
            SparkStepOperator(
                task_id=job.name,
                job_flow_id=create.output,
                steps=[steps[job.name]],
                wait_limit=WAIT_LIMIT,
                doc_md=job.doc,
                outlets=[table_asset(table) for table in job.outputs],
                **EMR_ARGUMENTS,
            )

    # As setups they run again when a job is cleared; with one of them done, the teardown runs.
    terminate.as_teardown(setups=[checked, steps, create], on_failure_fail_dagrun=True)
    steps >> create >> kpis >> [all_done, terminate]


clickstream_emr_kpis()
