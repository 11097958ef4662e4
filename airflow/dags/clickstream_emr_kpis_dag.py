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
| `terminate_cluster` | ends the cluster, whatever happened before |
| `all_jobs_done` | fails unless every job of the run succeeded: a run with half the tables is never green |
| `record_run` | what the run did and took into the table `run_metrics`; names the tables that are late |
| `publish_report` | a page about the run: its link `Report` shows it, whatever became of the jobs |

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
from functools import partial

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, TaskGroup, TriggerRule, dag

from config import names
from config.jobs import INGEST_JOB, JOBS, KPI_JOBS, RECONCILE_JOB, WEATHER_JOBS
from lakehouse.alerts import late_run_alert
from lakehouse.defaults import DAG_ARGUMENTS, profile_while_parsing
from lakehouse.report import PublishReportOperator
from lakehouse.tasks import check_settings, publish_bundle, weather_check
from lakehouse.wiring import create_cluster, end_run, run_step, step_wait_limit

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
    deadline=late_run_alert(LATE_AFTER),
    params=PARAMS,
    tags=["emr", "iceberg", "kpi", "weather"],
    **DAG_ARGUMENTS,
)
def clickstream_emr_kpis() -> None:
    """Wire the tasks."""
    checked = check_settings()
    steps = publish_bundle(checked["settings"], JOB_NAMES)
    create = create_cluster(checked)
    step_of = partial(run_step, create=create, steps=steps, wait_limit=WAIT_LIMIT)

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

    steps >> create >> [ingest, kpis, extract, transform, join, reconcile]
    ingest >> ingested >> kpis >> counted >> reconcile
    kpi_steps["kpi_temp_humidity"] >> published
    ends, record = end_run(checked, [steps, create], JOB_NAMES)
    for finished in (ingest, kpis, extract, transform, join, reconcile):
        finished >> [*ends, report]
    # Whatever became of it: the page tells of this run's cost, too.
    record >> report


clickstream_emr_kpis()
