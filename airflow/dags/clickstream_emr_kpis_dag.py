"""Sensor events and weather to KPI tables, on an EMR cluster of their own.

| task | does |
|---|---|
| `check_settings` | reads the environment; one message lists everything that is wrong with it |
| `publish_bundle` | uploads the code of the jobs and the wheels it needs, unless they are there |
| `create_cluster` | starts this run's EMR cluster and waits until it is ready |
| `ingest_events` | EMR step: new bronze files into the table of events, once each, and into quarantine |
| `kpi_...` | one EMR step each: reads the table of events, writes Iceberg tables (its assets) |
| `weather_check` | on the worker: is the weather service there, as expected, and is there budget? |
| `weather_extract` | EMR step: what is missing of the grid's weather, into the raw landing |
| `weather_transform` | EMR step: raw weather into tables, if its quality is good enough |
| `kpi_sensor_weather` | EMR step: measured climate beside the weather of the nearest grid point |
| `reconcile` | EMR step: every record is accounted for, from the manifests to the KPIs, or the run fails |
| `publish_report` | a page about the run: its link `Report` shows it, whatever became of the jobs |
| `terminate_cluster` | ends the cluster, whatever happened before |
| `all_jobs_done` | fails unless every job of the run succeeded: a run with half the tables is never green |
| `record_run` | what the run did and took into the table `run_metrics`; names the tables that are late |

**To run it:** trigger it; the defaults are right. In prod it runs daily at 03:00 UTC. Runs never overlap.
The first run fetches a year of weather, later ones what is missing since.

**To look at it:** a step's links lead to its log, to Athena with its table, and to the cluster; tables are
its assets. `publish_report` has a link to a page with the run's figures.

**When a job fails:** its task's log ends with the cause, whether a retry can help (only then it is tried
again), what to do, the place of the step's log and its last lines. Mend the cause and clear the task: code
is published again, the cluster is started again if it has gone, and only the cleared jobs run. Jobs may
run any number of times. Where
`weather_check` fails, no cluster time is spent on weather; the KPIs are published all the same. Where
`ingest_events` fails, the KPIs are left as they are; the weather goes on.

**Alerts** (with `ALERTS_TOPIC_ARN`): a run that failed, with the causes; one that has not ended in time;
data that do not add up; a table that has not changed in time; a cluster that could not be terminated.

**Safe by construction:** a retry adopts the cluster and the running step of its own run. Clearing a
task, or marking it as failed, cancels its step. A step has a time limit; an idle cluster ends itself.

Weather data by Open-Meteo.com, CC BY 4.0.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, TaskGroup, TriggerRule, dag

from config import names
from config.jobs import INGEST_JOB, JOBS, KPI_JOBS, RECONCILE_JOB, WEATHER_JOBS, Job
from lakehouse.alerts import AlertKind, alert_on_failure, late_run_alert
from lakehouse.assets import table_asset
from lakehouse.defaults import DAG_DEFAULT_ARGS, START_DATE, profile_while_parsing
from lakehouse.operators import CreateRunClusterOperator, SparkStepOperator, TerminateRunClusterOperator
from lakehouse.report import PublishReportOperator
from lakehouse.tasks import (
    DATABASE,
    EMR_ARGUMENTS,
    all_jobs_done,
    check_settings,
    publish_bundle,
    record_run,
    step_wait_limit,
    weather_check,
)

JOB_NAMES = list(JOBS)
LATE_AFTER = timedelta(hours=3)
"""A run takes a quarter of an hour on AWS; the first, with a year of weather, some more."""

WAIT_LIMIT = step_wait_limit(list(JOBS.values()))

PARAMS = {
    "jobs": Param(
        JOB_NAMES,
        title="Jobs",
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
    "weather_days": Param(
        None,
        title="Days of weather",
        description="Days up to today to have, 1 to 3660. Empty: from the last run on, at first a year. "
        "Only missing days are fetched.",
        type=["null", "integer"],
        minimum=1,
        maximum=3660,
    ),
}


def _gate(task_id: str) -> EmptyOperator:
    """Passes unless something before it failed: a job that the parameters leave out holds up no other."""
    doc = "A gate: passes unless something before it failed"
    return EmptyOperator(task_id=task_id, trigger_rule=TriggerRule.NONE_FAILED, doc_md=doc)


@dag(
    dag_id=names.DAG_ID,
    description="Sensor events and weather to KPI tables, on an EMR cluster of their own",
    doc_md=__doc__,
    schedule=profile_while_parsing().schedule,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DAG_DEFAULT_ARGS,
    deadline=late_run_alert(LATE_AFTER),
    params=PARAMS,
    tags=["emr", "iceberg", "kpi", "weather"],
)
def clickstream_emr_kpis() -> None:
    """Wire the tasks."""
    checked = check_settings()
    steps = publish_bundle(checked["settings"], JOB_NAMES)
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
    verdict = all_jobs_done(JOB_NAMES)
    record = record_run(checked["settings"], checked["cluster_request"])

    def step_of(job: Job) -> SparkStepOperator:
        return SparkStepOperator(
            task_id=job.name,
            job_flow_id=create.output,
            steps=[steps[job.name]],
            wait_limit=WAIT_LIMIT,
            database=DATABASE,
            doc_md=job.doc,
            outlets=[table_asset(table) for table in job.outputs],
            **EMR_ARGUMENTS,
        )

    ingest, ingested = step_of(INGEST_JOB), _gate("events_ingested")
    with TaskGroup("kpis", prefix_group_id=False, tooltip="Events to KPI tables") as kpis:
        kpi_steps = {job.name: step_of(job) for job in KPI_JOBS}
    with TaskGroup(
        "weather", prefix_group_id=False, tooltip="Weather of the grid, and measured climate beside it"
    ):
        extract, transform, join = (step_of(job) for job in WEATHER_JOBS)
        landed, published = _gate("weather_landed"), _gate("weather_and_climate_published")
        weather_check(checked["settings"]) >> extract >> landed >> transform >> published >> join

    counted, reconcile = _gate("events_counted"), step_of(RECONCILE_JOB)
    report = PublishReportOperator(
        task_id="publish_report",
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        doc_md="A page about the run, in S3 beside its logs",
    )

    # As setups they run again when a job is cleared; with one of them done, the teardowns run.
    terminate.as_teardown(setups=[checked, steps, create], on_failure_fail_dagrun=True)
    verdict.as_teardown(setups=checked, on_failure_fail_dagrun=True)
    record.as_teardown(setups=checked)
    terminate >> record
    steps >> create >> [ingest, kpis, extract, transform, join, reconcile]
    ingest >> ingested >> kpis >> counted >> reconcile
    kpi_steps["kpi_temp_humidity"] >> published
    for finished in (ingest, kpis, extract, transform, join, reconcile):
        finished >> [verdict, terminate, report]


clickstream_emr_kpis()
